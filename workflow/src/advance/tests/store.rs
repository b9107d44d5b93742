//! What a database would hold: rows by generation, the run row and its audit log. It refuses what
//! the real one must never be asked for.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{Plan, Record, RunHeader, RunState, RunStatus, StepKey, StepSnapshot};

#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) header: RunHeader,
    pub(super) rows: BTreeMap<(StepKey, i32), StepSnapshot>,
    pub(super) records: Vec<Record>,
    /// Children that were started and have not ended, with the step that waits.
    pub(super) children: BTreeMap<Uuid, StepKey>,
    /// Attempts that are made elsewhere, with their generation and number.
    pub(super) elsewhere: BTreeMap<StepKey, (i32, u32)>,
}

impl Store {
    pub(super) fn new(header: RunHeader) -> Self {
        Self {
            header,
            rows: BTreeMap::new(),
            records: Vec::new(),
            children: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
        }
    }

    /// Writes a decision, all of it.
    pub(super) fn commit(
        &mut self,
        plan: &Plan,
        run: &RunState,
        touched: &[StepKey],
        records: Vec<Record>,
    ) {
        let stored = self.header.status;
        if stored.is_terminal() {
            assert!(records.is_empty() && touched.is_empty());
            assert_eq!(run.status, stored, "a terminal run stays as it is");
        }
        for &key in touched {
            self.write(run.snapshot(plan, key), run.at(key).stored);
        }
        for record in records {
            let last = self.records.last().map_or(0, |r| r.sequence);
            assert_eq!(record.sequence, last + 1, "no gaps: {record:?}");
            self.records.push(record);
        }
        self.header = run.header.clone();
        assert_eq!(self.header.status, run.status);
        let last = self.records.last().map_or(0, |r| r.sequence);
        assert_eq!(self.header.sequence, last);
    }

    fn write(&mut self, row: StepSnapshot, stored: bool) {
        let old = self.rows.get(&(row.key, row.generation));
        assert_eq!(old.is_some(), stored, "insert or update of {row:?}");
        if let Some(old) = old {
            assert!(!old.status.is_terminal(), "terminal rows stay: {row:?}");
        }
        self.rows.insert((row.key, row.generation), row);
    }

    /// Returns the row of each step's newest generation.
    pub(super) fn newest(&self) -> Vec<StepSnapshot> {
        let mut newest: BTreeMap<StepKey, &StepSnapshot> = BTreeMap::new();
        for ((key, _), row) in &self.rows {
            newest.insert(*key, row);
        }
        newest.into_values().cloned().collect()
    }

    /// Opens the next generation, as the API does.
    pub(super) fn open_generation(&mut self) {
        assert!(self.header.status.is_terminal());
        self.header.generation += 1;
        self.header.status = RunStatus::Pending;
        self.header.started_at = None;
        self.header.paused = false;
    }
}
