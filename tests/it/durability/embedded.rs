//! `stepwell up` without a database: it makes and keeps a private one.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::process::EXIT_OK;
use crate::harness::{Client, PATIENCE, Process, app, port, until};

async fn up(arguments: &[&str], directory: Option<&Path>) -> (Client, Process) {
    let port = port::free();
    let number = port.to_string();
    let mut all = vec!["up", "--port", &number];
    all.extend(arguments);
    let directory = directory.map(|path| path.display().to_string());
    if let Some(directory) = &directory {
        all.extend(["--data-dir", directory]);
    }
    let client = Client::new(port);
    let mut process = Process::spawn("up", &all, &[]);
    app::ready(&client, std::slice::from_mut(&mut process)).await;
    (client, process)
}

async fn one_step(client: &Client) {
    let steps = json!([{"name": "t", "type": "transform", "config": {"value": "${input}"}}]);
    client.workflow("w", steps).await;
}

/// The postmasters whose data is below a directory.
fn servers_below(directory: &Path) -> Vec<String> {
    let text = directory.display().to_string();
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok())
        .filter(|line| line.contains(&text) && line.contains("postgres"))
        .collect()
}

#[tokio::test]
async fn the_data_is_there_again_the_next_time() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (client, mut process) = up(&[], Some(&data)).await;
    one_step(&client).await;
    let run = client.execute("w", json!(1)).await;
    assert_eq!(
        process.stop().await.code(),
        Some(EXIT_OK),
        "{}",
        process.log()
    );
    assert_eq!(
        servers_below(&data),
        Vec::<String>::new(),
        "the server is stopped"
    );
    let (client, mut process) = up(&[], Some(&data)).await;
    assert_eq!(client.run(run["id"].as_str().unwrap()).await, run);
    assert_eq!(client.execute("w", json!(2)).await["output"], 2);
    assert_eq!(process.stop().await.code(), Some(EXIT_OK));
}

#[tokio::test]
async fn it_recovers_after_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (client, mut process) = up(&[], Some(&data)).await;
    client
        .workflow(
            "d",
            json!([{"name": "d", "type": "delay", "config": {"duration": 1}}]),
        )
        .await;
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(client.start("d", json!({})).await);
    }
    process.kill().await;
    let (client, mut process) = up(&[], Some(&data)).await;
    for run in &runs {
        // The dead worker is believed to live for another 20 s.
        let run = client.finished_within(run, PATIENCE * 2).await;
        assert_eq!(run["status"], "completed");
    }
    assert_eq!(
        process.stop().await.code(),
        Some(EXIT_OK),
        "{}",
        process.log()
    );
    assert_eq!(servers_below(&data), Vec::<String>::new());
}

#[tokio::test]
async fn two_on_one_directory_do_not_fight() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (client, mut first) = up(&[], Some(&data)).await;
    one_step(&client).await;
    let port = port::free().to_string();
    let data_text = data.display().to_string();
    let arguments = ["up", "--port", &port, "--data-dir", &data_text];
    let mut second = Process::spawn("second", &arguments, &[]);
    let status = second.exit().await;
    assert_ne!(status.code(), Some(EXIT_OK), "{}", second.log());
    assert!(!second.log().contains("panicked"), "{}", second.log());
    assert_eq!(client.execute("w", json!(1)).await["status"], "completed");
    assert_eq!(first.stop().await.code(), Some(EXIT_OK));
}

#[tokio::test]
async fn ephemeral_leaves_nothing_behind() {
    let (client, mut process) = up(&["--ephemeral"], None).await;
    one_step(&client).await;
    assert_eq!(client.execute("w", json!(1)).await["status"], "completed");
    let directory = data_directory(&process);
    assert!(directory.exists());
    assert_eq!(
        process.stop().await.code(),
        Some(EXIT_OK),
        "{}",
        process.log()
    );
    assert!(!directory.exists(), "{}", directory.display());
    assert_eq!(servers_below(&directory), Vec::<String>::new());
}

/// As when a container runs out of memory: the guard does not come to remove anything.
#[tokio::test]
async fn what_an_owner_and_its_guard_left_is_removed_by_the_next_start() {
    let (_client, mut process) = up(&["--ephemeral"], None).await;
    let directory = data_directory(&process).parent().unwrap().to_owned();
    let line = directory.display().to_string();
    let guards = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path().join("cmdline")).ok()?;
            let guards = text.contains("postgres-guard") && text.contains(&line);
            guards.then(|| entry.file_name().to_string_lossy().parse().unwrap())
        });
    let guards: Vec<i32> = guards.collect();
    assert_eq!(guards.len(), 1);
    // Both at once: stopped first, neither sees the other's end.
    let guard = nix::unistd::Pid::from_raw(guards[0]);
    nix::sys::signal::kill(guard, Signal::SIGSTOP).unwrap();
    process.kill().await;
    nix::sys::signal::kill(guard, Signal::SIGKILL).unwrap();
    assert!(directory.join("master.key").exists());
    assert!(!servers_below(&directory).is_empty());
    let lock = fs::File::options()
        .write(true)
        .open(directory.join("lock"))
        .unwrap();
    lock.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    let (_client, mut process) = up(&["--ephemeral"], None).await;
    assert!(!directory.exists(), "{}", directory.display());
    assert!(servers_below(&directory).is_empty());
    process.stop().await;
}

#[tokio::test]
async fn no_server_outlives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (_client, mut process) = up(&[], Some(&data)).await;
    process.signal(Signal::SIGKILL);
    process.exit().await;
    let (_client, mut process) = up(&[], Some(&data)).await;
    let servers = servers_below(&data).len();
    assert!(servers >= 1);
    process.stop().await;
    until("no server is left", PATIENCE, async || {
        servers_below(&data).is_empty().then_some(())
    })
    .await;
}

/// Where the server that a process started keeps its data: the `-D` of one of its children.
fn data_directory(process: &Process) -> std::path::PathBuf {
    let parent = process.pid().to_string();
    let found = fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let is_child = stat.rsplit_once(')')?.1.split_whitespace().nth(1)? == parent;
        let line = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let mut arguments = line.split('\0').skip_while(|word| *word != "-D");
        is_child.then_some(())?;
        arguments.nth(1).map(std::path::PathBuf::from)
    });
    found.unwrap_or_else(|| panic!("no server below process {parent}"))
}
