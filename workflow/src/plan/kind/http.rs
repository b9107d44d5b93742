//! `http` and `webhook`: a request, and which answers are good.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use url::Url;

use crate::expression::Template;
use crate::plan::Kind;
use crate::plan::site::Site;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// What Standard Webhooks puts in front of a secret.
const SECRET_PREFIX: &str = "whsec_";

/// Compiles the config of a request; `method` is the default.
pub(super) fn compile(site: &mut Site<'_, '_, '_>, method: &'static str) -> Option<Kind> {
    let url = url(site);
    let method = match site.text("method") {
        None => Some(method),
        Some(written) => {
            let known = METHODS
                .iter()
                .find(|method| method.eq_ignore_ascii_case(written));
            if known.is_none() {
                site.finding(
                    "method",
                    format!("this must be one of {}", METHODS.join(", ")),
                );
            }
            known.copied()
        }
    };
    let headers = headers(site);
    let body = site.template("body");
    let expect_status = expect_status(site);
    let sign = sign(site);
    Some(Kind::Http {
        method: method?.into(),
        url: url?,
        headers,
        body,
        expect_status,
        sign,
    })
}

/// Compiles the URL. One with expressions is checked again when they are filled in.
fn url(site: &mut Site<'_, '_, '_>) -> Option<Template> {
    let template = site.template("url")?;
    let problem = match (template.literal(), &template.source) {
        (Some(Value::String(literal)), _) => match Url::parse(literal) {
            Ok(url) if !is_http(url.scheme()) => {
                Some("only http and https can be called".to_owned())
            }
            Ok(url) if !url.has_host() => Some("the URL names no host".to_owned()),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Some("a URL must not hold credentials; send them in `headers`".to_owned())
            }
            Ok(_) => None,
            Err(error) => Some(format!("this is no URL: {error}")),
        },
        (_, Value::String(text)) => {
            let begins_well = text.starts_with("${")
                || text
                    .split_once("://")
                    .is_some_and(|(scheme, _)| is_http(scheme));
            (!begins_well).then(|| "a URL begins with http:// or https://".to_owned())
        }
        _ => None,
    };
    if let Some(problem) = problem {
        site.finding("url", problem);
    }
    Some(template)
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

fn headers(site: &mut Site<'_, '_, '_>) -> Vec<(String, Template)> {
    let Some(Value::Object(written)) = site.fields.get("headers") else {
        return Vec::new();
    };
    let pointer = site.pointer_of("headers");
    let mut site = site.at(pointer, written, site.item);
    let mut headers = Vec::with_capacity(written.len());
    for name in written.keys() {
        if !is_token(name) {
            site.finding(name, "this is no header name");
        } else if crate::headers::is_own(name) {
            site.finding(name, "this header follows from the request; remove it");
        }
        if let Some(value) = site.template(name) {
            let literal = value.literal().and_then(Value::as_str);
            if literal.is_some_and(|text| !is_field_value(text)) {
                let detail = "a header's value is one line, without control characters";
                site.finding(name, detail);
            }
            headers.push((name.clone(), value));
        }
    }
    headers
}

/// Says whether a text is a token of RFC 9110.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Says whether a text can be a field's value by RFC 9110: tabs are the one control character.
fn is_field_value(text: &str) -> bool {
    !text.chars().any(|c| c.is_ascii_control() && c != '\t')
}

/// Compiles the secret. One with expressions is checked when it is filled in.
fn sign(site: &mut Site<'_, '_, '_>) -> Option<Template> {
    let secret = site.template("sign")?;
    let literal = secret.literal().and_then(Value::as_str);
    if literal.is_some_and(|text| !is_secret(text)) {
        let detail = "a signing secret is base64, with or without `whsec_` in front";
        site.finding("sign", detail);
    }
    Some(secret)
}

/// Says whether a text is a secret of Standard Webhooks, or what stands for one that is not shown.
fn is_secret(text: &str) -> bool {
    let coded = text.strip_prefix(SECRET_PREFIX).unwrap_or(text);
    text == crate::secrets::MASK || (!coded.is_empty() && BASE64.decode(coded).is_ok())
}

/// Reads codes and classes such as `"4xx"`; empty stands for all of 2xx.
fn expect_status(site: &mut Site<'_, '_, '_>) -> Vec<u16> {
    let Some(Value::Array(written)) = site.fields.get("expect_status") else {
        return Vec::new();
    };
    let pointer = site.pointer_of("expect_status");
    let mut codes = Vec::new();
    for (index, entry) in written.iter().enumerate() {
        match crate::retry::statuses(entry) {
            Some(range) => codes.extend(range),
            None => site.finding_at(
                format!("{pointer}/{index}"),
                "this must be a status from 100 to 599, or a class such as \"2xx\"",
            ),
        }
    }
    codes.sort_unstable();
    codes.dedup();
    codes
}
