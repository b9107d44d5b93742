//! The rules for a schedule; every broken one is listed.

use stepwell_queue::new_run::DEFAULT_QUEUE;
use stepwell_queue::schedule::{CATCH_UP_MAX, NewSchedule, Overlap, Rhythm};
use stepwell_workflow::Time;

use super::wire::ScheduleInput;
use crate::App;
use crate::agents::check::name_fault;
use crate::apart;
use crate::json::Json;
use crate::labels;
use crate::problem::{Fault, Faults, Problem};
use crate::runs::input::check_input;
use crate::runs::limits::{PRIORITY_MAX, QUEUE_CHARS_MAX};
use crate::runs::order::is_queue;

/// Characters of what names a workflow: a slug or an id.
const WORKFLOW_CHARS_MAX: usize = 255;

/// Turns an input into a schedule that keeps every rule.
///
/// # Errors
/// 422 that lists each broken rule.
pub async fn check(app: &App, mut input: ScheduleInput, now: Time) -> Result<NewSchedule, Problem> {
    let mut faults = Faults::new();
    let mut fault =
        |field: &str, detail: String| faults.push(Fault::at(format!("/{field}"), detail));
    if let Some(detail) = name_fault(&input.name) {
        fault("name", detail);
    }
    let cron = Rhythm::cron(&input.cron).map_err(|why| fault("cron", why));
    let zone = Rhythm::zone(&input.time_zone).map_err(|why| fault("time_zone", why));
    let rhythm = cron
        .ok()
        .zip(zone.ok())
        .map(|(cron, zone)| Rhythm::new(cron, zone));
    if rhythm
        .as_ref()
        .is_some_and(|rhythm| rhythm.after(now).is_none())
    {
        fault("cron", "never comes, such as 30 February".into());
    }
    let overlap = Overlap::of(&input.overlap);
    if overlap.is_none() {
        fault("overlap", "must be allow, skip or cancel_running".into());
    }
    let catch_up = i32::try_from(input.catch_up)
        .ok()
        .filter(|n| (0..=CATCH_UP_MAX).contains(n));
    if catch_up.is_none() {
        fault("catch_up", format!("must be from 0 to {CATCH_UP_MAX}"));
    }
    let queue = input.queue.unwrap_or_else(|| DEFAULT_QUEUE.to_owned());
    if !is_queue(&queue) {
        fault(
            "queue",
            format!(
                "must have 1 to {QUEUE_CHARS_MAX} characters of A-Z, a-z, 0-9 and ._-, the first a \
                 letter or digit, not {queue:?}"
            ),
        );
    }
    let priority = i16::try_from(input.priority)
        .ok()
        .filter(|_| input.priority.abs() <= PRIORITY_MAX);
    if priority.is_none() {
        fault(
            "priority",
            format!("must be from -{PRIORITY_MAX} to {PRIORITY_MAX}"),
        );
    }
    let active = match input.status.as_str() {
        "active" => true,
        "paused" => false,
        _ => {
            fault("status", "must be active or paused".into());
            false
        }
    };
    labels::check(&input.labels, "/labels", &mut faults);
    let known =
        input.workflow.chars().count() <= WORKFLOW_CHARS_MAX && !input.workflow.contains('\0');
    let planned = match known {
        true => app.store.resolve(&input.workflow, input.version).await?,
        false => None,
    };
    let mut stored = None;
    match planned {
        Some(planned) if planned.active => {
            let size = input
                .input
                .as_ref()
                .map_or(0, |Json(text)| text.get().len());
            let given = input.input.take();
            let check = || check_input(given, Some(&planned), "/input", &mut faults);
            stored = apart::by_size(size, check).await?;
        }
        Some(_) => faults.push(Fault::at("/workflow", "is inactive: it takes no new runs")),
        None if known && app.store.resolve(&input.workflow, None).await?.is_some() => {
            faults.push(Fault::at("/version", "the workflow has no such version"));
        }
        None => faults.push(Fault::at("/workflow", "does not exist")),
    }
    let (Some(rhythm), Some(overlap), Some(catch_up), Some(priority), Some(stored), true) = (
        rhythm,
        overlap,
        catch_up,
        priority,
        stored,
        faults.is_empty(),
    ) else {
        return Err(Problem::invalid(faults));
    };
    Ok(NewSchedule {
        name: input.name,
        workflow: input.workflow,
        version: input.version,
        input: stored.as_ref().to_owned(),
        cron: input.cron,
        time_zone: input.time_zone,
        rhythm,
        overlap,
        catch_up,
        labels: input.labels,
        queue,
        priority,
        active,
    })
}
