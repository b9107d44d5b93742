//! What the audience sees: short lines, a tick for each expectation that held, and a sum.

#![expect(clippy::print_stdout, reason = "the lines are the show")]

use std::time::{Duration, Instant};

/// Columns up to the timing at the right.
const WIDTH: usize = 72;

/// The show so far.
pub(crate) struct Show {
    begun: Instant,
    held: usize,
    failed: Vec<String>,
}

impl Show {
    pub(crate) fn begin() -> Self {
        println!("\nStepwell: durable workflows on plain PostgreSQL");
        Self {
            begun: Instant::now(),
            held: 0,
            failed: Vec::new(),
        }
    }

    pub(crate) fn scene(&self, title: &str) {
        println!("\n▸ {title}");
    }

    /// Something happened.
    pub(crate) fn line(&self, text: &str) {
        println!("    {text}");
    }

    /// Something happened so long after its beginning.
    pub(crate) fn moment(&self, since: Instant, text: &str) {
        println!("    {:>6.2} s  {text}", since.elapsed().as_secs_f64());
    }

    /// Something is done that nobody doubted.
    pub(crate) fn done(&self, since: Instant, text: &str) {
        tick("✓", text, Some(since.elapsed()));
    }

    /// An expectation: `found` is told only if it was not met.
    pub(crate) fn expect(&mut self, held: bool, text: &str, found: impl std::fmt::Display) {
        self.judge(held, text, None, found);
    }

    /// An expectation and how long it took to be met.
    pub(crate) fn expect_in(
        &mut self,
        held: bool,
        text: &str,
        took: Duration,
        found: impl std::fmt::Display,
    ) {
        self.judge(held, text, Some(took), found);
    }

    fn judge(
        &mut self,
        held: bool,
        text: &str,
        took: Option<Duration>,
        found: impl std::fmt::Display,
    ) {
        if held {
            self.held += 1;
            tick("✓", text, took);
        } else {
            tick("✗", text, took);
            println!("      found: {found}");
            self.failed.push(text.to_owned());
        }
    }

    pub(crate) fn is_well(&self) -> bool {
        self.failed.is_empty()
    }

    pub(crate) fn sum_up(&self) {
        let (held, seconds) = (self.held, self.begun.elapsed().as_secs_f64());
        self.scene("Summary");
        if self.is_well() {
            println!("  ✓ all {held} expectations held, in {seconds:.1} s\n");
            return;
        }
        let failed = self.failed.len();
        println!(
            "  ✗ {failed} of {} expectations failed, in {seconds:.1} s:",
            held + failed
        );
        for text in &self.failed {
            println!("    ✗ {text}");
        }
        println!();
    }

    pub(crate) fn stays_up(&self, api: &str, agents: &str) {
        println!("  Everything stays up until Ctrl-C:");
        println!("    API            {api}/api/v1/runs");
        println!("    documentation  {api}/docs");
        println!("    agents' calls  {agents}/calls\n");
    }

    /// The show cannot go on; `logs` may tell why.
    pub(crate) fn broke_off(&mut self, error: &anyhow::Error, logs: &str) {
        println!("\n  ✗ the demo could not go on: {error:#}\n{logs}");
        self.failed.push("the demo goes on to its end".to_owned());
    }
}

fn tick(mark: &str, text: &str, took: Option<Duration>) {
    match took {
        None => println!("  {mark} {text}"),
        Some(took) => println!("  {mark} {text:<WIDTH$} {:>6.2} s", took.as_secs_f64()),
    }
}
