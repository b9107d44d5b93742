//! The audit trail of a run.

use serde_json::Value;

use super::text;
use crate::api::Client;
use crate::show::Show;

/// Shows the trail of `run`.
pub(crate) async fn play(api: &Client, show: &mut Show, run: &str) -> anyhow::Result<()> {
    show.scene("The audit trail of the order");
    let mut trail = api.audit(run).await?;
    trail.sort_by_key(|record| record["sequence"].as_u64());
    for record in &trail {
        show.line(&line(record));
    }
    let action = |record: Option<&Value>| record.map(|r| text(r, "action").to_owned());
    let ends = (action(trail.first()), action(trail.last()));
    show.expect(
        ends == (Some("run.created".into()), Some("run.completed".into())),
        "it reaches from the creation to the completion",
        format!("{ends:?}"),
    );
    let numbers: Vec<_> = trail.iter().map(|r| r["sequence"].as_u64()).collect();
    let expected: Vec<_> = (1..).map(Some).take(trail.len()).collect();
    show.expect(
        numbers == expected,
        "its numbers have no gap",
        format!("{numbers:?}"),
    );
    let retried = trail.iter().filter(|r| text(r, "step") == "label").count();
    show.expect(
        retried >= 3,
        "the attempts that failed are in it too",
        format!("{retried} records of the step label"),
    );
    Ok(())
}

/// Number, time of day, actor, action, step.
fn line(record: &Value) -> String {
    let at = text(record, "at");
    let time = at.get(11..23).unwrap_or(at);
    let actor: String = text(record, "actor").chars().take(16).collect();
    let line = format!(
        "{:>3}  {time}  {actor:<16}  {} {}",
        record["sequence"].to_string(),
        text(record, "action"),
        text(record, "step"),
    );
    line.trim_end().to_owned()
}
