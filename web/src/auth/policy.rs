//! The one table of what needs which role. A route that no row names needs `admin`, so a forgotten
//! row closes a door and opens none.

use http::Method;

use super::Role;

/// What a request must bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it tells how the server is, or what the API looks like.
    Nothing,
    /// A token of its own in the path, which the endpoint checks.
    OwnToken,
    /// At least this role.
    Role(Role),
}

const VIEW: Need = Need::Role(Role::Viewer);
const OPERATE: Need = Need::Role(Role::Operator);
const ADMINISTER: Need = Need::Role(Role::Admin);

/// Method (`*`: any) and route (a last `**`: whatever begins so), the first that matches counts.
/// Routes are written as in the OpenAPI document.
const TABLE: &[(&str, &str, Need)] = &[
    ("GET", "/", Need::Nothing),
    ("GET", "/health", Need::Nothing),
    ("GET", "/health/live", Need::Nothing),
    ("GET", "/health/ready", Need::Nothing),
    ("GET", "/version", Need::Nothing),
    // Counts and names of queues. Those who scrape seldom carry credentials, and a worker serves the
    // same beside its health.
    ("GET", "/metrics", Need::Nothing),
    ("GET", "/openapi.json", Need::Nothing),
    ("GET", "/docs/**", Need::Nothing),
    ("GET", "/redoc", Need::Nothing),
    ("GET", "/redoc/**", Need::Nothing),
    ("GET", "/favicon.ico", Need::Nothing),
    ("*", "/api/v1/keys", ADMINISTER),
    ("*", "/api/v1/keys/**", ADMINISTER),
    ("POST", "/api/v1/callbacks/{token}", Need::OwnToken),
    ("POST", "/api/v1/callbacks/{token}/logs", Need::OwnToken),
    ("POST", "/api/v1/external/{token}/heartbeat", Need::OwnToken),
    ("POST", "/api/v1/external/{token}/complete", Need::OwnToken),
    ("POST", "/api/v1/external/{token}/fail", Need::OwnToken),
    ("GET", "/api/v1/**", VIEW),
    ("POST", "/api/v1/workflows/validate", VIEW),
    ("POST", "/api/v1/workflows/{id}/execute", OPERATE),
    ("POST", "/api/v1/trigger", OPERATE),
    // Execute, retry, cancel, pause, resume, signal, fork, appeal, one by one and in bulk.
    ("POST", "/api/v1/runs", OPERATE),
    ("POST", "/api/v1/runs/**", OPERATE),
    ("POST", "/api/v1/records", OPERATE),
    ("POST", "/api/v1/records/{id}/process", OPERATE),
    ("POST", "/api/v1/external/{topic}/poll", OPERATE),
    ("POST", "/api/v1/queues/{name}/pause", OPERATE),
    ("POST", "/api/v1/queues/{name}/resume", OPERATE),
    ("POST", "/api/v1/schedules/{id}/pause", OPERATE),
    ("POST", "/api/v1/schedules/{id}/resume", OPERATE),
    ("POST", "/api/v1/schedules/{id}/run", OPERATE),
];

/// Returns what a route needs; `route` is its pattern, with or without the first slash. HEAD is GET.
#[must_use]
pub fn needed(method: &Method, route: &str) -> Need {
    let method = if *method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let route = route.trim_matches('/');
    TABLE
        .iter()
        .find(|(row_method, pattern, _)| {
            (*row_method == "*" || *row_method == method) && covers(pattern, route)
        })
        .map_or(ADMINISTER, |(_, _, need)| *need)
}

/// Returns what a path needs that no route has: below `/api` nobody is told what there is.
#[must_use]
pub fn needed_by_stranger(path: &str) -> Need {
    let first = path.split('/').find(|part| !part.is_empty());
    if first == Some("api") {
        VIEW
    } else {
        Need::Nothing
    }
}

fn covers(pattern: &str, route: &str) -> bool {
    let pattern = pattern.trim_matches('/');
    match pattern.strip_suffix("/**") {
        Some(beginning) => route
            .strip_prefix(beginning)
            .is_some_and(|rest| rest.starts_with('/')),
        None => pattern == route,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_holds() {
        let need = |method: Method, route: &str| needed(&method, route);
        assert_eq!(need(Method::GET, ""), Need::Nothing);
        assert_eq!(need(Method::GET, "docs/{**rest}"), Need::Nothing);
        assert_eq!(need(Method::HEAD, "/health"), Need::Nothing);
        assert_eq!(need(Method::GET, "api/v1/runs/{id}/audit"), VIEW);
        assert_eq!(need(Method::POST, "/api/v1/runs/{id}/cancel"), OPERATE);
        assert_eq!(need(Method::POST, "/api/v1/agents"), ADMINISTER);
        assert_eq!(need(Method::GET, "/api/v1/keys"), ADMINISTER);
        assert_eq!(need(Method::HEAD, "/api/v1/keys/{id}"), ADMINISTER);
        assert_eq!(need(Method::PUT, "/api/v1/workflows/{id}"), ADMINISTER);
    }

    #[test]
    fn what_is_forgotten_is_closed() {
        assert_eq!(needed(&Method::GET, "/somewhere/new"), ADMINISTER);
        assert_eq!(needed(&Method::GET, "/redocs"), ADMINISTER);
        assert_eq!(needed(&Method::POST, "/health"), ADMINISTER);
        assert_eq!(needed(&Method::DELETE, "/api/v1/news"), ADMINISTER);
        assert_eq!(needed_by_stranger("//api/v2"), VIEW);
        assert_eq!(needed_by_stranger("/nowhere"), Need::Nothing);
    }
}
