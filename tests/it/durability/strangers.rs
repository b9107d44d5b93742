//! Who else is on the machine sees no secret of ours, and tells us nothing by a file of theirs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::harness::process::EXIT_USAGE;
use crate::harness::{Client, Process, app, port};

const SECRET: &str = "s3cret-that-nobody-on-this-host-sees";

/// The environments of the processes whose command line or working directory is below a directory.
fn environments_below(directory: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| {
            let path = entry.path();
            let line = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
            let guarded = line.contains("postgres") && !line.contains("\0up\0");
            let below = line.contains(directory) && guarded;
            below.then(|| fs::read_to_string(path.join("environ")).unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn the_private_server_and_its_guard_know_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data").display().to_string();
    let port = port::free();
    let number = port.to_string();
    let variables = [
        ("STEPWELL_AUTH", "keys"),
        ("STEPWELL_JWT_SECRET", SECRET),
        ("STEPWELL_JWT_ISSUER", "https://issuer"),
        ("STEPWELL_JWT_AUDIENCE", "stepwell"),
        ("CLOUD_SECRET_KEY", SECRET),
        // Of another server.
        ("PGDATA", "/nowhere"),
        ("PGPORT", "1"),
    ];
    let arguments = ["up", "--port", &number, "--data-dir", &data];
    let mut process = Process::spawn("up", &arguments, &variables);
    app::ready(&Client::new(port), std::slice::from_mut(&mut process)).await;
    let seen = environments_below(&data);
    assert!(seen.len() >= 2, "the server and its guard: {seen:?}");
    for environment in seen {
        assert!(!environment.contains(SECRET), "{environment}");
        assert!(!environment.contains("PGPORT"), "{environment}");
    }
    process.stop().await;
}

#[tokio::test]
async fn a_file_that_everybody_can_write_is_not_obeyed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("stepwell.toml");
    fs::write(&file, "[log]\nlevel = 'loud'\n").unwrap();
    for (mode, said) in [(0o666, "can be written by everybody"), (0o644, "loud")] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let script = format!("cd {} && exec \"$0\" doctor", directory.path().display());
        let program = env!("CARGO_BIN_EXE_stepwell");
        let mut process =
            Process::spawn_program("sh".as_ref(), "doctor", &["-c", &script, program], &[]);
        assert_eq!(
            process.exit().await.code(),
            Some(EXIT_USAGE),
            "{}",
            process.log()
        );
        assert!(process.log().contains(said), "{}", process.log());
    }
}
