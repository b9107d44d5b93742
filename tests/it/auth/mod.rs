//! Who may come in, and what they may do.

mod algorithms;
mod credentials;
mod hostile;
mod keys;
mod rates;
mod roles;
mod rotation;
mod secrets;
mod tokens;

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Answer, App, Client, Process};

/// Everybody is asked.
pub(crate) const KEYS: (&str, &str) = ("STEPWELL_AUTH", "keys");

/// An API that asks for keys, and no worker.
async fn guarded(settings: &[(&str, &str)]) -> App {
    let mut all = vec![KEYS];
    all.extend_from_slice(settings);
    App::separate(0, &all).await
}

/// Makes a key as an operator does, on the command line.
pub(crate) async fn key(app: &App, name: &str, role: &str) -> String {
    command(
        app,
        &["key", "create", "--name", name, "--role", role, "--json"],
    )
    .await["key"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Runs a command that succeeds and prints JSON.
pub(crate) async fn command(app: &App, arguments: &[&str]) -> Value {
    let variables = app.variables();
    let variables: Vec<_> = variables
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    let mut process = Process::spawn("command", arguments, &variables);
    assert_eq!(process.exit().await.code(), Some(0), "{}", process.log());
    serde_json::from_str(&process.output()).unwrap()
}

/// Sends a request without a body, with a key.
async fn ask(client: &Client, method: Method, path: &str, key: &str) -> Answer {
    client
        .send(client.request(method, path).header("x-api-key", key))
        .await
}

/// Sends a request with JSON and a key.
async fn send(client: &Client, method: Method, path: &str, key: &str, body: &Value) -> Answer {
    let request = client.request(method, path).header("x-api-key", key);
    client.send(request.json(body)).await
}
