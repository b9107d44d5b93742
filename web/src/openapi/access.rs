//! What the document says of credentials: how they are sent, which role each operation needs, and
//! what is answered without. The roles come from the table that the door asks.

use salvo::oapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement};
use salvo::oapi::{Components, Operation, PathItemType, Ref, RefOr, SecurityScheme};

use crate::auth::policy::{Need, needed};

const KEY: &str = "ApiKey";
const BEARER: &str = "Bearer";

/// Describes the ways to send credentials.
pub(super) fn schemes(components: &mut Components) {
    let key = ApiKeyValue::with_description("X-API-Key", "A key, `swk_…`.");
    let bearer = Http::new(HttpAuthScheme::Bearer)
        .description("A key, or a JSON Web Token of the configured issuer.");
    for (name, scheme) in [
        (KEY, SecurityScheme::ApiKey(ApiKey::Header(key))),
        (BEARER, SecurityScheme::Http(bearer)),
    ] {
        components
            .security_schemes
            .insert(name.into(), RefOr::Type(scheme));
    }
}

/// Says which role an operation needs, and what is answered to whoever has not got it.
pub(super) fn require(method: &PathItemType, path: &str, operation: &mut Operation) {
    let method = match method {
        PathItemType::Get => http::Method::GET,
        PathItemType::Post => http::Method::POST,
        PathItemType::Put => http::Method::PUT,
        PathItemType::Delete => http::Method::DELETE,
        PathItemType::Patch => http::Method::PATCH,
        _ => http::Method::OPTIONS,
    };
    let statuses: &[&str] = match needed(&method, path) {
        Need::Nothing => return,
        Need::OwnToken => &["401", "403", "429"],
        Need::Role(role) => {
            let role = role.as_str();
            let about = operation.description.take().unwrap_or_default();
            let about =
                format!("{about}\n\nNeeds the role `{role}`, where credentials are asked for.");
            operation.description = Some(about.trim().to_owned());
            operation
                .extensions
                .insert("x-stepwell-role".into(), role.into());
            let nothing: [&str; 0] = [];
            // The last one: a server that is open asks nobody.
            operation.securities = Some(vec![
                SecurityRequirement::new(KEY, nothing),
                SecurityRequirement::new(BEARER, nothing),
                SecurityRequirement::default(),
            ]);
            &["401", "403", "429"]
        }
    };
    for status in statuses {
        if !operation.responses.contains_key(*status) {
            let response = Ref::from_response_name(format!("Problem{status}"));
            operation.responses.insert(*status, RefOr::Ref(response));
        }
    }
}
