//! Measurements that are kept elsewhere and read when Prometheus asks.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// One measurement, with a value for each set of labels.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Without the prefix and, where it counts, without `_total`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    pub kind: Kind,
    pub values: Vec<(Labels, f64)>,
}

/// Names with values; empty for a measurement without labels.
pub type Labels = Vec<(&'static str, String)>;

/// What a value can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

impl Sample {
    /// A number that only grows.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self {
            name,
            help,
            kind: Kind::Counter,
            values: vec![(Labels::new(), number(value))],
        }
    }

    /// A level.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Self {
            kind: Kind::Gauge,
            ..Self::counter(name, help, value)
        }
    }

    /// Numbers that only grow, one for each word of a label.
    #[must_use]
    pub fn counters<'a>(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Self {
        let values = values
            .into_iter()
            .map(|(word, value)| (vec![(label, word.to_owned())], number(value)));
        Self {
            name,
            help,
            kind: Kind::Counter,
            values: values.collect(),
        }
    }

    /// Levels, one for each word of a label.
    #[must_use]
    pub fn gauges<'a>(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Self {
        Self {
            kind: Kind::Gauge,
            ..Self::counters(name, help, label, values)
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, kind)?;
        for (labels, value) in &self.values {
            if labels.is_empty() {
                self.write(&mut metric, *value)?;
            } else {
                self.write(&mut metric.encode_family(labels)?, *value)?;
            }
        }
        Ok(())
    }

    fn write(&self, metric: &mut MetricEncoder<'_>, value: f64) -> fmt::Result {
        match self.kind {
            Kind::Counter => metric.encode_counter::<NoLabelSet, _, f64>(&value, None),
            Kind::Gauge => metric.encode_gauge(&value),
        }
    }
}

/// Makes of a count what Prometheus keeps of it.
#[must_use]
pub(super) fn number(count: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "Prometheus keeps every number as a double; counts below 2^53 are exact"
    )]
    let number = count as f64;
    number
}

/// What reads a part of the process.
pub(super) struct Source<F>(pub(super) F);

impl<F> fmt::Debug for Source<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl<F: Fn() -> Vec<Sample> + Send + Sync + 'static> Collector for Source<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0()
            .iter()
            .try_for_each(|sample| sample.encode(&mut encoder))
    }
}
