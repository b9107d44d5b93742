//! Headers that nobody may set on a call: they follow from the request, or say who sends it.
//!
//! One list for definitions and for agents' credentials: a length or a host of somebody's choice would
//! change what the request is, and a proxy's headers whom it goes to.

/// Of the connection and the message (RFC 9110, 7.6.1 and 10.1; RFC 9112), and of the call itself.
const OWN: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];
/// Of proxies, and of the signature of Standard Webhooks.
const OWN_PREFIXES: [&str; 2] = ["proxy-", "webhook-"];
/// What tells a receiver which attempt it is. A definition may choose its own; credentials are never one.
const OF_THE_CALL: [&str; 4] = [
    "content-type",
    "idempotency-key",
    "traceparent",
    "x-request-id",
];

/// Says whether a header follows from the request, so that a definition must not set it.
#[must_use]
pub fn is_own(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    OWN.contains(&name.as_str()) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Says whether credentials may stand in this header.
#[must_use]
pub fn may_hold_credentials(name: &str) -> bool {
    !is_own(name) && !OF_THE_CALL.iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_the_request_is_its_own() {
        for name in [
            "Host",
            "content-LENGTH",
            "Proxy-Authorization",
            "webhook-id",
            "Trailer",
        ] {
            assert!(is_own(name) && !may_hold_credentials(name), "{name}");
        }
        for name in ["Authorization", "X-API-Key", "Cookie"] {
            assert!(may_hold_credentials(name), "{name}");
        }
        assert!(!is_own("Idempotency-Key") && !may_hold_credentials("Idempotency-Key"));
    }
}
