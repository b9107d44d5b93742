//! How far somebody has read the feed of all records. It survives restarts, as text.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use stepwell_workflow::Time;
use uuid::Uuid;

use super::snapshot::{Snapshot, time};

/// Everything that was visible at some moment, and perhaps a part of what came into sight until a
/// later one. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What this sees has been delivered.
    pub(super) seen: Arc<Snapshot>,
    /// The page in hand: what this sees is being delivered, up to this place.
    pub(super) window: Option<(Arc<Snapshot>, Place)>,
}

/// The order of delivery: time, then entity and number. The records of one entity follow each other
/// in time, so they keep their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) at: Time,
    pub(super) entity_id: Uuid,
    pub(super) sequence: i64,
}

impl Place {
    /// Before every record from this time on.
    pub(super) const fn before(at: Time) -> Self {
        Self {
            at,
            entity_id: Uuid::nil(),
            sequence: 0,
        }
    }
}

impl Cursor {
    /// Before every record that is from this time on, give or take a second.
    pub(crate) fn since(at: Time) -> Self {
        Self::after(Arc::new(Snapshot::of_nothing(at)))
    }

    pub(super) const fn after(seen: Arc<Snapshot>) -> Self {
        Self { seen, window: None }
    }

    /// Whether a record of this transaction was certainly delivered before.
    pub(super) fn has_seen(&self, transaction: u64) -> bool {
        self.seen.sees(transaction)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seen)?;
        if let Some((until, place)) = &self.window {
            let us = place.at.timestamp_micros();
            let (entity_id, sequence) = (place.entity_id.simple(), place.sequence);
            write!(f, "/{until}/{us}/{entity_id}/{sequence}")?;
        }
        Ok(())
    }
}

/// The text is not that of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of the feed")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let parts: Vec<_> = text.split('/').collect();
        let snapshot = |text: &str| text.parse().map(Arc::new).map_err(|_| NoCursor);
        match parts.as_slice() {
            [seen] => Ok(Self::after(snapshot(seen)?)),
            [seen, until, at, entity_id, sequence] => {
                let place = Place {
                    at: time(at).map_err(|_| NoCursor)?,
                    entity_id: entity_id.parse().map_err(|_| NoCursor)?,
                    sequence: sequence.parse().map_err(|_| NoCursor)?,
                };
                let (seen, until) = (snapshot(seen)?, snapshot(until)?);
                if !seen.precedes(&until) {
                    return Err(NoCursor);
                }
                Ok(Self {
                    seen,
                    window: Some((until, place)),
                })
            }
            _ => Err(NoCursor),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn its_text_brings_it_back() {
        let plain: Cursor = "1700000000000000:20:15@1600000000000000".parse().unwrap();
        assert_eq!(plain.to_string().parse(), Ok(plain.clone()));
        let window = Some((
            Arc::new("1700000001000000:30:".parse().unwrap()),
            Place {
                at: Time::from_timestamp(1_700_000_000, 5_000).unwrap(),
                entity_id: crate::clock::id(),
                sequence: 7,
            },
        ));
        let within = Cursor { window, ..plain };
        assert_eq!(within.to_string().parse(), Ok(within));
    }

    #[test]
    fn other_text_is_refused() {
        for wrong in ["", "/", "1:2:/1:3:", "1:5:/1:3:/1/0/0", "1:2:/1:3:/1/x/0"] {
            assert_eq!(wrong.parse::<Cursor>(), Err(NoCursor), "{wrong}");
        }
    }
}
