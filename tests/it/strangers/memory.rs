//! What the limits allow in the worst case is no more than the manifests give.

use std::path::Path;

#[test]
fn the_manifest_gives_the_api_what_its_limits_allow() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/k8s/base/api.yaml");
    let manifest = std::fs::read_to_string(path).unwrap();
    let (_, limits) = manifest.split_once("limits:").unwrap();
    let memory = limits
        .lines()
        .find_map(|line| line.trim().strip_prefix("memory: "));
    let mebibytes = match memory.unwrap() {
        text if text.ends_with("Gi") => text.trim_end_matches("Gi").parse::<usize>().unwrap() << 10,
        text => text.trim_end_matches("Mi").parse().unwrap(),
    };
    let worst = stepwell_web::limits::worst_case_bytes() >> 20;
    assert!(
        worst <= mebibytes,
        "the limits allow {worst} MiB, deploy/k8s/base/api.yaml gives {mebibytes} MiB"
    );
}
