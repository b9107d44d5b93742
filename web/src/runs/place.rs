//! From an order to a durable run, and, when the client asks for it, to its end.

use std::time::Duration;

use salvo::oapi::{BasicType, Object, Parameter};
use stepwell_queue::{Actor, Enqueued, NewRun, PlannedVersion};

use super::answer::Progress;
use super::check::Occasion;
use super::limits::WAIT_MS_MAX;
use super::order::ExecuteInput;
use super::wire::Run;
use crate::App;
use crate::answer::Result;
use crate::apart;
use crate::body::work;
use crate::clock::now;
use crate::idempotency::IdempotencyKey;
use crate::page::parameter;
use crate::problem::{Fault, Faults, Kind, Problem};
use crate::query::{Parameters, Reader};

/// How long the client waits for the end of the run.
#[derive(Clone, Copy, Debug)]
pub struct Wait(pub Option<Duration>);

impl Parameters for Wait {
    fn read(reader: &mut Reader) -> Self {
        let ms = reader.number("wait_ms", 0..=WAIT_MS_MAX);
        Self(
            ms.filter(|ms| *ms > 0)
                .map(|ms| Duration::from_millis(ms.into())),
        )
    }

    fn describe() -> Vec<Parameter> {
        let schema = Object::with_type(BasicType::Integer)
            .minimum(0)
            .maximum(WAIT_MS_MAX)
            .default_value(0.into());
        let about = "Milliseconds to wait for the end of the run: 200 with the finished run if it \
                     comes in time, else 202. When very many wait already: 202 at once.";
        vec![parameter("wait_ms", about, schema, 5_000.into())]
    }
}

/// Finds the version that is asked for.
///
/// # Errors
/// 404 without such a workflow, 409 when it is inactive, 422 without such a version.
pub async fn find(
    app: &App,
    workflow: &str,
    version: Option<i32>,
    pointer: Option<&str>,
) -> Result<PlannedVersion> {
    let at = |detail: &str| {
        let faults = pointer.map(|pointer| Fault::at(pointer, detail));
        faults.into_iter().collect::<Faults>()
    };
    let Some(planned) = app.store.resolve(workflow, version).await? else {
        if version.is_some() && app.store.resolve(workflow, None).await?.is_some() {
            return Err(Problem::invalid(vec![no_version(workflow, "")]));
        }
        return Err(Problem::not_found("workflow", workflow).with_errors(at("does not exist")));
    };
    if !planned.active {
        return Err(inactive(workflow).with_errors(at("is inactive")));
    }
    Ok(planned)
}

/// The fault of a version that the workflow does not have.
#[must_use]
pub fn no_version(workflow: &str, pointer: &str) -> Fault {
    Fault::at(
        format!("{pointer}/version"),
        format!("the workflow {workflow:?} has no such version"),
    )
}

fn inactive(workflow: &str) -> Problem {
    Problem::new(
        Kind::StateConflict,
        format!("The workflow {workflow:?} is inactive: it takes no new runs."),
    )
}

/// Checks an order for one run.
///
/// # Errors
/// 422 that lists each fault.
pub async fn check(
    order: ExecuteInput,
    planned: &PlannedVersion,
    actor: &Actor,
    input_field: &'static str,
) -> Result<NewRun> {
    let occasion = Occasion {
        actor,
        now: now(),
        input_field,
        // These orders have no callback.
        signs: false,
    };
    let mut faults = Faults::new();
    let size = order.size();
    let check = || order.check(Some(planned), &occasion, "", &mut faults);
    let run = apart::by_size(size, check).await?;
    run.ok_or_else(|| Problem::invalid(faults))
}

/// The workflow of an order.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The slug or id.
    pub workflow: &'a str,
    /// Where the body names it; absent when the path does.
    pub pointer: Option<&'a str>,
}

/// Finds the workflow of an order and checks the order, so that all that is wrong is told at once.
/// `faults` is what was found already, when the order was read.
///
/// # Errors
/// 422 that lists each fault. When only the look-up failed, or when the path names a workflow that
/// takes no runs: as [`find`].
pub async fn ready(
    app: &App,
    named: Named<'_>,
    order: ExecuteInput,
    actor: &Actor,
    input_field: &'static str,
    mut faults: Faults,
) -> Result<NewRun> {
    let told = |fault: &Fault| fault.pointer.is_some() && fault.pointer.as_deref() == named.pointer;
    let found = if faults.iter().any(told) {
        Err(Problem::invalid(Faults::new()))
    } else {
        find(app, named.workflow, order.version, named.pointer).await
    };
    let (planned, missing) = match found {
        Ok(planned) => (Some(planned), None),
        Err(problem) => match problem.kind() {
            Kind::Invalid => (None, Some(problem)),
            Kind::NotFound | Kind::StateConflict if named.pointer.is_some() => {
                (None, Some(problem))
            }
            _ => return Err(problem),
        },
    };
    let occasion = Occasion {
        actor,
        now: now(),
        input_field,
        signs: app.store.keeps_secrets(),
    };
    let size = order.size();
    let check = || order.check(planned.as_ref(), &occasion, "", &mut faults);
    let run = apart::by_size(size, check).await?;
    match (run, missing) {
        (Some(run), None) if faults.is_empty() => Ok(run),
        (_, Some(problem)) if faults.is_empty() => Err(problem),
        (_, missing) => {
            let missing = missing.iter().flat_map(Problem::errors);
            let mut all: Faults = missing.cloned().collect();
            all.append(faults);
            Err(Problem::invalid(all))
        }
    }
}

/// Enqueues a run and answers with it.
///
/// # Errors
/// 409 when a live run has its dedupe key, 422 when its idempotency key was used otherwise.
pub async fn place(
    app: &App,
    mut run: NewRun,
    key: &IdempotencyKey,
    wait: Wait,
) -> Result<Progress> {
    let id = run.id;
    let location = location(&run);
    let fresh = Run::fresh(&run);
    run.idempotency = key.with(202, Some(location.clone()), &fresh)?;
    // The place among the waiters is taken first, so that no end is missed.
    let waiter = wait
        .0
        .and_then(|time| Some((app.store.await_end(id)?, time)));
    run.awaited = waiter.is_some();
    match app.store.enqueue(run).await? {
        Enqueued::Created => {}
        other => return refused(other).map(Progress::Before),
    }
    if let Some((mut end, time)) = waiter {
        work::let_go();
        tokio::select! {
            () = end.over() => {}
            () = tokio::time::sleep(time) => {}
            () = app.shutdown.cancelled() => {}
        }
        // The run is durable, whatever comes now: a database that is away makes it a 202.
        if let Ok(Some(run)) = app.store.run(id).await {
            return Ok(if run.status.is_terminal() {
                Progress::Done(run.into())
            } else {
                Progress::Accepted {
                    body: run.into(),
                    location: Some(location),
                }
            });
        }
    }
    Ok(Progress::Accepted {
        body: fresh,
        location: Some(location),
    })
}

/// Returns the path of a run.
#[must_use]
pub fn location(run: &NewRun) -> String {
    format!("/api/v1/runs/{}", run.id)
}

/// Turns all but a new run into the answer or the problem that it is.
///
/// # Errors
/// 409 or 422.
pub fn refused(enqueued: Enqueued) -> Result<stepwell_queue::new_run::Answer> {
    match enqueued {
        Enqueued::Replayed(answer) => Ok(answer),
        Enqueued::KeyReused => Err(IdempotencyKey::reused()),
        Enqueued::Duplicate { run_id } => Err(Problem::new(
            Kind::StateConflict,
            format!("The run {run_id} has this dedupe_key and is not over yet."),
        )),
        Enqueued::Full { key, most } => Err(full(&key, most)),
        Enqueued::Created => Err(Problem::internal("a run that was made is told as refused")),
    }
}

/// The problem of a run for which there is no place under its concurrency key.
#[must_use]
pub fn full(key: &str, most: i32) -> Problem {
    let runs = if most == 1 { "run is" } else { "runs are" };
    Problem::new(
        Kind::StateConflict,
        format!(
            "{most} {runs} under way with the concurrency key {key:?}, and the workflow takes no \
             more: start this one when one of them is over."
        ),
    )
}
