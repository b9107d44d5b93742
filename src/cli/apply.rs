//! `stepwell apply`: agents and workflows from files. Applying twice changes nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Answer, Client, ServerArgument};
use super::{Given, print};

/// The argument that stands for standard input.
const STANDARD_INPUT: &str = "-";

#[derive(Debug, clap::Args)]
pub(super) struct Apply {
    /// Files of JSON, each with one agent or workflow or a list of them; a directory stands for
    /// the *.json in it, and - for standard input.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    server: ServerArgument,
}

/// One thing to be applied, and where it came from.
struct Item {
    kind: Kind,
    name: String,
    file: String,
    body: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Agent,
    Workflow,
}

impl Kind {
    const fn path(self) -> &'static str {
        match self {
            Self::Agent => "agents",
            Self::Workflow => "workflows",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Workflow => "workflow",
        }
    }
}

impl Apply {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let client = Client::new(&self.server)?;
        let mut items = Vec::new();
        for path in &self.files {
            for file in files(path)? {
                items.extend(read(&file)?);
            }
        }
        let (agents, workflows): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.kind == Kind::Agent);
        let mut outcomes = Outcomes {
            json: given.json,
            list: Vec::new(),
        };
        let outcome = all(&client, &agents, workflows, &mut outcomes).await;
        // Also when not everything was taken: what was, is done.
        if given.json {
            print::json(&outcomes.list)?;
        }
        outcome
    }
}

/// Applies agents, then workflows. A workflow may name another of the same files: those that are
/// refused are tried again as long as others go through.
async fn all(
    client: &Client,
    agents: &[Item],
    mut workflows: Vec<Item>,
    outcomes: &mut Outcomes,
) -> anyhow::Result<()> {
    for agent in agents {
        match send(client, agent).await {
            Ok(outcome) => outcomes.done(agent, &outcome),
            Err(error) => {
                outcomes.refused(agent, &error);
                return Err(error.context(place(agent)));
            }
        }
    }
    while !workflows.is_empty() {
        let mut refused = Vec::new();
        let before = workflows.len();
        for workflow in workflows {
            match send(client, &workflow).await {
                Ok(outcome) => outcomes.done(&workflow, &outcome),
                Err(error) => refused.push((workflow, error)),
            }
        }
        if refused.len() == before {
            for (workflow, error) in &refused {
                outcomes.refused(workflow, error);
            }
            return Err(together(refused));
        }
        workflows = refused.into_iter().map(|(workflow, _)| workflow).collect();
    }
    Ok(())
}

/// One error of many; one alone stays what it is.
fn together(mut refused: Vec<(Item, anyhow::Error)>) -> anyhow::Error {
    if refused.len() == 1
        && let Some((item, error)) = refused.pop()
    {
        return error.context(place(&item));
    }
    let words: Vec<String> = refused
        .iter()
        .map(|(item, error)| format!("{}: {error:#}", place(item)))
        .collect();
    anyhow!(words.join("\n"))
}

fn place(item: &Item) -> String {
    format!("{} {} ({})", item.kind.word(), item.name, item.file)
}

/// What came of each item: for people at once, for machines at the end.
struct Outcomes {
    json: bool,
    list: Vec<Value>,
}

impl Outcomes {
    fn done(&mut self, item: &Item, outcome: &str) {
        let kind = item.kind.word();
        if self.json {
            self.list
                .push(json!({ "kind": kind, "name": item.name, "outcome": outcome }));
        } else {
            print::line(format_args!("{kind} {} {outcome}", item.name));
        }
    }

    /// People read it among the errors.
    fn refused(&mut self, item: &Item, error: &anyhow::Error) {
        self.list.push(json!({
            "kind": item.kind.word(),
            "name": item.name,
            "outcome": "refused",
            "problem": print::problem(error),
        }));
    }
}

/// The files that an argument stands for, in the order of their names.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unread = || format!("cannot read {}", path.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).with_context(unread)? {
        let file = entry.with_context(unread)?.path();
        if file.is_file()
            && file
                .extension()
                .is_some_and(|extension| extension == "json")
        {
            found.push(file);
        }
    }
    if found.is_empty() {
        bail!("there is no *.json in {}", path.display());
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> anyhow::Result<Vec<Item>> {
    let (file, text) = if path == Path::new(STANDARD_INPUT) {
        let text = std::io::read_to_string(std::io::stdin());
        ("standard input".to_owned(), text)
    } else {
        (path.display().to_string(), std::fs::read_to_string(path))
    };
    let text = text.with_context(|| format!("cannot read {file}"))?;
    let value: Value =
        serde_json::from_str(&text).with_context(|| format!("{file} is not JSON"))?;
    let values = match value {
        Value::Array(values) => values,
        one => vec![one],
    };
    values
        .into_iter()
        .map(|body| classify(body, &file))
        .collect()
}

fn classify(body: Value, file: &str) -> anyhow::Result<Item> {
    let kind = if body.get("steps").is_some() {
        Kind::Workflow
    } else if body.get("url").is_some() {
        Kind::Agent
    } else {
        bail!("{file} holds neither a workflow (with `steps`) nor an agent (with `url`)");
    };
    let name = match kind {
        Kind::Workflow => body.get("id").or_else(|| body.get("name")),
        Kind::Agent => body.get("name"),
    };
    let Some(name) = name.and_then(Value::as_str).map(str::to_owned) else {
        bail!(
            "{file} holds {} without a name",
            match kind {
                Kind::Agent => "an agent",
                Kind::Workflow => "a workflow",
            }
        );
    };
    Ok(Item {
        kind,
        name,
        file: file.to_owned(),
        body,
    })
}

async fn send(client: &Client, item: &Item) -> anyhow::Result<String> {
    let path = item.kind.path();
    match standing(client, item).await? {
        None => {
            client
                .get(Method::POST, client.at(&[path], &[])?, Some(&item.body))
                .await?;
            Ok("created".to_owned())
        }
        Some(before) => {
            let id = before
                .get("id")
                .and_then(Value::as_str)
                .context("the answer has no id")?;
            let after = client
                .get(Method::PUT, client.at(&[path, id], &[])?, Some(&item.body))
                .await?;
            let same = before.get("updated_at") == after.get("updated_at");
            let version = after.get("version").and_then(Value::as_i64);
            Ok(match (same, version) {
                (true, _) => "unchanged".to_owned(),
                (false, Some(version)) => format!("updated to version {version}"),
                (false, None) => "updated".to_owned(),
            })
        }
    }
}

/// What the server has under this name.
async fn standing(client: &Client, item: &Item) -> anyhow::Result<Option<Value>> {
    if item.kind == Kind::Workflow {
        let url = client.at(&["workflows", &item.name], &[])?;
        return Ok(match client.ask(Method::GET, url, None, &[]).await? {
            Answer::Found(value) => Some(value),
            Answer::NotFound(_) => None,
        });
    }
    let url = client.at(&["agents"], &[("name", item.name.clone())])?;
    let list = client.get(Method::GET, url, None).await?;
    let items = list.get("items").and_then(Value::as_array);
    let same_name = |agent: &&Value| agent.get("name").and_then(Value::as_str) == Some(&item.name);
    Ok(items.into_iter().flatten().find(same_name).cloned())
}
