//! How Stepwell stands to the others.

use serde_json::json;

use crate::standing::Standings;

#[test]
fn ours_is_divided_by_theirs_within_a_repetition() {
    let mut rows = vec![json!({"peer": "reference", "workload": "REF", "rep": 1})];
    for (rep, ours, theirs) in [(1, 10.0, 20.0), (2, 8.0, 16.0), (3, 1.0, 20.0)] {
        for (peer, secs) in [("stepwell", ours), ("boss", theirs)] {
            rows.push(
                json!({"peer": peer, "workload": "W1", "rep": rep, "n": 2000, "done": 2000,
                       "secs": secs, "wal_bytes": 10_000_000, "pg_cpu_s": 1.0,
                       "peer_cpu_s": 0.5, "rss_mb": 30.0}),
            );
            rows.push(json!({"peer": peer, "workload": "W2", "rep": rep, "p50": secs, "p95": 9.0}));
        }
    }
    rows.push(json!({"peer": "boss", "workload": "W3", "rep": 1, "error": "timeout"}));
    let standings = Standings::of(&rows, "stepwell");
    let all = standings.json();
    let of = |peer: &str, measure: &str| {
        let all = all["standings"].as_array().unwrap();
        let found = all
            .iter()
            .find(|s| s["peer"] == peer && s["measure"] == measure);
        found.unwrap_or_else(|| panic!("{peer} {measure}")).clone()
    };
    assert_eq!(of("boss", "W1 steps/s")["ratio"], 2.0);
    assert_eq!(of("boss", "W2 p50 ms")["ratio"], 0.5);
    assert_eq!(of("boss", "W2 p50 ms")["less_is_better"], true);
    assert_eq!(of("stepwell", "W1 steps/s")["median"], 1_250.0);
    assert_eq!(of("stepwell", "W1 WAL bytes/step")["median"], 1_000.0);
    let tables = standings.tables();
    assert!(tables.contains("failed: boss, W3: timeout"), "{tables}");
    assert!(!tables.contains("W3 ms"), "{tables}");
    assert!(!tables.contains("reference"), "{tables}");
}
