//! The input is compared with the version's JSON Schema before a run begins, where whoever started it
//! could not do that.

use super::Turn;
use crate::told::Told;
use crate::validate::Finding;
use crate::{Failure, RunState};

/// Findings that are quoted in the failure: the first ones tell enough.
const FINDINGS_QUOTED: usize = 3;

impl RunState {
    /// Fails a run that has not begun and whose input does not fit.
    pub(super) fn check_input(&mut self, turn: &mut Turn<'_>) {
        if self.begun {
            return;
        }
        let findings = turn.plan.check_input(&self.header.input);
        if !findings.is_empty() {
            self.fail_run(turn, Failure::fatal("input_invalid", sentence(&findings)));
        }
    }
}

fn sentence(findings: &Told<Finding>) -> String {
    let mut told: Vec<String> = findings
        .iter()
        .take(FINDINGS_QUOTED)
        .map(|finding| format!("at /input{}: {}", finding.pointer, finding.detail))
        .collect();
    if findings.len() > FINDINGS_QUOTED {
        let more = findings.len() - FINDINGS_QUOTED;
        let least = if findings.is_over() { "at least " } else { "" };
        told.push(format!("and {least}{more} more"));
    }
    format!(
        "the input does not fit the input_schema of the workflow ({}); start a new run with one that does",
        told.join("; ")
    )
}
