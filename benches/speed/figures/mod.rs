//! What was measured, over the repetitions.
//!
//! A figure belongs to a workload, and with the workloads that turn one screw (workers, history,
//! load, minutes) to a place on that screw's scale. [`ratios`] sets figures of one run beside each
//! other, [`report`] tells it all to people and programs.

pub(crate) mod ratios;
pub(crate) mod report;
pub(crate) mod sizing;
pub(crate) mod spread;

use crate::meter::{Cost, Spent};

pub(crate) use spread::Spread;

/// Where a figure belongs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) workload: String,
    pub(crate) at: Option<At>,
}

/// A place on a scale: `by` names the scale, as `workers`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct At {
    pub(crate) value: f64,
    pub(crate) by: String,
}

impl Place {
    pub(crate) fn at(workload: &str, value: f64, by: &str) -> Self {
        Self {
            workload: workload.to_owned(),
            at: Some(At {
                value,
                by: by.to_owned(),
            }),
        }
    }
}

impl From<&str> for Place {
    fn from(workload: &str) -> Self {
        Self {
            workload: workload.to_owned(),
            at: None,
        }
    }
}

/// One measure of one place: a value for each repetition.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) place: Place,
    pub(crate) measure: String,
    pub(crate) values: Vec<f64>,
}

/// Every row, in the order of the first repetition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) rows: Vec<Row>,
}

impl Figures {
    pub(crate) fn add(&mut self, place: impl Into<Place>, measure: &str, value: f64) {
        let place = place.into();
        let known = self
            .rows
            .iter_mut()
            .find(|row| row.place == place && row.measure == measure);
        if let Some(row) = known {
            row.values.push(value);
        } else {
            self.rows.push(Row {
                place,
                measure: measure.to_owned(),
                values: vec![value],
            });
        }
    }

    /// What a stretch of work cost the database, for each run or step.
    pub(crate) fn cost(&mut self, place: impl Into<Place>, unit: &str, count: usize, cost: &Cost) {
        let place = place.into();
        let count = count as f64;
        let mut each = |what: &str, total: f64| {
            self.add(place.clone(), &format!("{what}/{unit}"), total / count);
        };
        each("WAL bytes", cost.wal_bytes);
        each("transactions", cost.transactions);
        if let Some(statements) = cost.statements {
            each("statements", statements);
        }
        each("Postgres CPU µs", cost.postgres_seconds * 1e6);
    }

    /// What it cost one kind of our processes.
    pub(crate) fn spent(
        &mut self,
        place: impl Into<Place>,
        who: &str,
        unit: &str,
        count: usize,
        spent: Spent,
    ) {
        let place = place.into();
        let each = spent.seconds * 1e6 / count as f64;
        self.add(place.clone(), &format!("{who} CPU µs/{unit}"), each);
        self.add(place, &format!("{who} peak MiB"), spent.peak_mib);
    }

    /// The middle and the tail of a number of times in milliseconds.
    pub(crate) fn times(&mut self, place: impl Into<Place>, values: Vec<f64>) {
        let place = place.into();
        let spread = Spread::new(values);
        for (name, share) in [("p50 ms", 0.5), ("p95 ms", 0.95), ("p99 ms", 0.99)] {
            self.add(place.clone(), name, spread.quantile(share));
        }
        self.add(place, "max ms", spread.quantile(1.0));
    }

    /// The values of one measure, if it was measured.
    pub(crate) fn values(&self, place: &Place, measure: &str) -> Option<&[f64]> {
        self.rows
            .iter()
            .find(|row| row.place == *place && row.measure == measure)
            .map(|row| row.values.as_slice())
    }
}
