//! What browsers may do with our pages (Content Security Policy Level 3, W3C).
//!
//! Swagger UI and ReDoc begin with a script in their page. It is allowed by its hash, so that a script which
//! somebody got into a page by what it shows is not run.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use salvo::http::ResBody;
use salvo::{Depot, FlowCtrl, Request, Response};
use sha2::{Digest as _, Sha256};

/// Styles that the libraries make by script: the logo of Swagger UI 5.34 and the scroll bars of ReDoc 2.5.
const OF_LIBRARIES: &str = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w=' \
    'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='";

/// Has a page say what it may do. ReDoc searches in a worker made from a blob, and both put pictures into their styles.
#[salvo::handler]
pub(super) async fn policy(
    req: &mut Request,
    depot: &mut Depot,
    res: &mut Response,
    ctrl: &mut FlowCtrl,
) {
    ctrl.call_next(req, depot, res).await;
    let kind = res.headers().get(CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        return;
    }
    let page = match &res.body {
        ResBody::Once(page) => String::from_utf8_lossy(page),
        _ => "".into(),
    };
    // Of what is empty as well: ReDoc makes a style element and fills it by rules.
    let styles = hashes(&page, "style") + &hash("");
    let words = format!(
        "default-src 'self'; script-src 'self' {scripts}; style-src 'self' {OF_LIBRARIES} {styles}; \
         style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        scripts = hashes(&page, "script"),
    );
    if let Ok(value) = HeaderValue::from_str(&words) {
        res.headers_mut().insert(CONTENT_SECURITY_POLICY, value);
    }
}

/// The hashes of what stands between these tags, where they have no attributes.
fn hashes(page: &str, tag: &str) -> String {
    let (opens, closes) = (format!("<{tag}>"), format!("</{tag}>"));
    let inner = page.split(&opens).skip(1);
    inner
        .filter_map(|rest| rest.split_once(&closes))
        .map(|(inner, _)| hash(inner) + " ")
        .collect()
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_page_is_hashed() {
        // From the specification, 8.3.
        assert_eq!(
            hashes(
                "<script src='x'></script><script>doSubmit();</script>",
                "script"
            )
            .trim(),
            hash("doSubmit();")
        );
        assert_eq!(
            hash(""),
            "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
        );
    }
}
