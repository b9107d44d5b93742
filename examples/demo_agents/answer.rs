//! What each agent does.

use std::time::Duration;

use salvo::http::StatusCode;
use serde_json::{Value, json};

/// What quick agents take: long enough that a run can be watched.
const QUICK: Duration = Duration::from_millis(60);
/// What weighing takes: long enough to be interrupted.
const WEIGH: Duration = Duration::from_secs(1);
/// What the slow agent takes: long enough that nobody waits for it.
const SLOW: Duration = Duration::from_secs(20);
/// Calls of one run that the flaky agent turns away.
const FLAKY_FAILURES: usize = 2;

/// Answers a call to `path`. `number` counts the calls of the same run to it, from 1; `repaired`
/// says whether the broken agent was mended.
pub(crate) async fn to(
    path: &str,
    number: usize,
    repaired: bool,
    run: &str,
    step: &str,
) -> (StatusCode, Value) {
    let done = |prefix: &str| {
        let id = json!({"id": format!("{prefix}-{step}-{}", tail(run)), "ok": true});
        (StatusCode::OK, id)
    };
    match path {
        "/charge" | "/reserve" | "/pack" | "/ship" => {
            tokio::time::sleep(QUICK).await;
            done(&path[1..])
        }
        "/weigh" => {
            tokio::time::sleep(WEIGH).await;
            done("weigh")
        }
        "/slow" => {
            tokio::time::sleep(SLOW).await;
            done("slow")
        }
        "/flaky" if number <= FLAKY_FAILURES => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded, please try again",
        ),
        "/flaky" => done("flaky"),
        "/broken" if !repaired => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "out of order until POST /repair",
        ),
        "/broken" => done("broken"),
        "/hopeless" => refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "there is nothing that this accepts",
        ),
        "/post" => (StatusCode::OK, json!({"received": true})),
        _ => refuse(StatusCode::NOT_FOUND, "there is no such agent"),
    }
}

fn refuse(status: StatusCode, why: &str) -> (StatusCode, Value) {
    (status, json!({"error": why}))
}

/// The end of an id, which differs most.
fn tail(run: &str) -> &str {
    run.get(run.len().saturating_sub(6)..).unwrap_or(run)
}

#[cfg(test)]
mod tests {
    use super::to;

    #[tokio::test]
    async fn agents_behave_as_they_are_named() {
        for (path, number, repaired, status) in [
            ("/charge", 1, false, 200),
            ("/flaky", 2, false, 503),
            ("/flaky", 3, false, 200),
            ("/broken", 9, false, 500),
            ("/broken", 1, true, 200),
            ("/hopeless", 9, true, 422),
            ("/nowhere", 1, false, 404),
        ] {
            let (found, _) = to(path, number, repaired, "0123456789", "s").await;
            assert_eq!(found.as_u16(), status, "{path}");
        }
    }
}
