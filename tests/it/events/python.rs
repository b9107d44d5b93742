//! A client in another language that knows nothing but the address: it learns the contract by reflection.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::grpc::address;
use crate::harness::with_app;

/// What the client stands on, pinned.
const PACKAGES: &[&str] = &[
    "grpcio==1.76.0",
    "grpcio-reflection==1.76.0",
    "protobuf==6.33.0",
];

/// A Python with these packages, made once per target folder.
async fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-grpc");
    let python = target.join("bin/python");
    let marker = target.join(PACKAGES.join(","));
    if !marker.exists() {
        run(Command::new("python3")
            .arg("-m")
            .arg("venv")
            .arg("--clear")
            .arg(&target))
        .await;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--disable-pip-version-check"]);
        run(install.arg("--quiet").args(PACKAGES)).await;
        std::fs::write(&marker, "").unwrap();
    }
    python
}

async fn run(command: &mut Command) -> String {
    let output = command.kill_on_drop(true).output().await;
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[tokio::test]
async fn a_client_that_uses_reflection_does_everything() {
    let python = python().await;
    with_app(async |app| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/by_reflection.py");
        let mut client = Command::new(&python);
        client
            .arg(script)
            .arg(app.api.url("/"))
            .arg(address(app).await);
        let said = run(&mut client).await;
        assert!(
            said.contains("statuses: PENDING RUNNING COMPLETED"),
            "{said}"
        );
        assert!(said.contains("health: SERVING"), "{said}");
        assert!(said.contains("refused: INVALID_ARGUMENT"), "{said}");
    })
    .await;
}
