//! Limits: of what a key may ask, and of what an address may get wrong.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::{ask, guarded, key};

/// Of the form of a key.
const FORGED: &str = "swk_0000000000000000000000000000000000000000000";

#[tokio::test]
async fn each_key_has_its_budget() {
    let app = guarded(&[("STEPWELL_RATE_LIMIT", "5")]).await;
    let (one, other) = (
        key(&app, "one", "viewer").await,
        key(&app, "other", "viewer").await,
    );
    for left in (0..5).rev() {
        let answer = ask(&app.api, Method::GET, "runs", &one).await.of(200);
        assert_eq!(answer.header("ratelimit-limit"), "5");
        assert_eq!(answer.header("ratelimit-remaining"), left.to_string());
        assert_eq!(answer.header("ratelimit-policy"), "5;w=60");
        assert_eq!(
            answer.header("ratelimit-reset"),
            (12 * (5 - left)).to_string()
        );
    }
    let refused = ask(&app.api, Method::GET, "runs", &one).await.problem(429);
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&wait), "{refused:?}");
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    // What may not be done counts as well.
    let forbidden = ask(&app.api, Method::GET, "keys", &other)
        .await
        .problem(403);
    assert_eq!(forbidden.header("ratelimit-remaining"), "4");
    let open = app.api.get("/health").await.of(200);
    assert_eq!(open.header("ratelimit-limit"), "");
    app.finish().await;
}

#[tokio::test]
async fn failed_attempts_run_out_and_good_keys_go_on() {
    let app = guarded(&[]).await;
    let good = key(&app, "good", "viewer").await;
    let (mut wrong, mut waits) = (0, 0);
    for _ in 0..40 {
        let answer = ask(&app.api, Method::GET, "runs", FORGED).await;
        match answer.status {
            401 => wrong += 1,
            _ => {
                let answer = answer.problem(429);
                let wait: u32 = answer.header("retry-after").parse().unwrap();
                assert!((1..=6).contains(&wait), "{answer:?}");
                waits += 1;
            }
        }
    }
    assert!(
        (20..=25).contains(&wrong),
        "{wrong} told, {waits} sent away"
    );
    // Others behind the same address are let in; a key that was never seen too.
    ask(&app.api, Method::GET, "runs", &good).await.of(200);
    let fresh = key(&app, "fresh", "viewer").await;
    ask(&app.api, Method::GET, "runs", &fresh).await.of(200);
    // And it comes back.
    let since = Instant::now();
    crate::harness::until(
        "an attempt is told again",
        Duration::from_secs(20),
        async || {
            let answer = ask(&app.api, Method::GET, "runs", FORGED).await;
            (answer.status == 401).then_some(())
        },
    )
    .await;
    assert!(since.elapsed() < Duration::from_secs(20));
    app.finish().await;
}
