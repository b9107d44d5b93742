//! The processes start, agents and workflows are registered.

use std::time::Instant;

use super::WORKERS;
use crate::api::Client;
use crate::definitions::{AGENTS, WORKFLOWS, read};
use crate::processes::Processes;
use crate::show::Show;

/// Starts everything but the second worker.
pub(crate) async fn up(processes: &mut Processes, show: &mut Show) -> anyhow::Result<Client> {
    show.scene("Real processes start");
    let begun = Instant::now();
    processes.postgres().await?;
    show.done(begun, "a PostgreSQL of its own, migrated");
    let begun = Instant::now();
    processes.serve_api().await?;
    show.done(begun, &format!("the API on {}", processes.api()));
    let begun = Instant::now();
    processes.serve_agents().await?;
    show.done(begun, &format!("the agents on {}", processes.agents()));
    worker(processes, show, WORKERS[0]).await?;
    let begun = Instant::now();
    let api = Client::new(processes.api(), processes.agents())?;
    for (kind, texts) in [("agents", AGENTS), ("workflows", WORKFLOWS)] {
        for text in texts {
            let document = read(text, processes.agents())?;
            api.create(kind, &document).await?;
        }
    }
    let (agents, workflows) = (AGENTS.len(), WORKFLOWS.len());
    let text = format!("{agents} agents and {workflows} workflows registered over REST");
    show.done(begun, &text);
    Ok(api)
}

/// Starts the second worker.
pub(crate) async fn second_worker(
    processes: &mut Processes,
    show: &mut Show,
) -> anyhow::Result<()> {
    show.scene("A second worker joins");
    worker(processes, show, WORKERS[1]).await
}

async fn worker(processes: &mut Processes, show: &Show, name: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    let id = processes.worker(name).await?;
    show.done(begun, &format!("{name}, process {id}"));
    Ok(())
}
