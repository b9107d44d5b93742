//! How much of the sender each receiver has.

use std::collections::HashMap;

use stepwell_queue::delivery::Room;
use tokio::task::JoinError;
use uuid::Uuid;

/// Attempts in flight in all: each holds an event in memory.
const FLIGHTS_MAX: usize = 256;
/// Attempts in flight to one receiver.
const LANE_MAX: usize = 8;
/// Attempts in flight to a receiver that failed: it takes 256 of them to fill the sender.
const LANE_FAILED_MAX: usize = 1;

/// What came of an attempt, as far as its lane goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) lane: Uuid,
    pub(super) arrived: bool,
}

#[derive(Debug, Default)]
struct Lane {
    in_flight: usize,
    failed: bool,
}

/// The receivers that have something in flight, or failed last.
#[derive(Debug, Default)]
pub(super) struct Lanes(HashMap<Uuid, Lane>);

impl Lanes {
    /// Returns what may be taken beside `in_flight` attempts; `None` when there is no room.
    pub(super) fn room(&self, in_flight: usize) -> Option<Room> {
        let total = FLIGHTS_MAX.saturating_sub(in_flight);
        let lanes = self.0.iter().map(|(id, lane)| {
            let most = if lane.failed {
                LANE_FAILED_MAX
            } else {
                LANE_MAX
            };
            (*id, most.saturating_sub(lane.in_flight))
        });
        (total > 0).then(|| Room {
            total,
            lane: LANE_MAX,
            lanes: lanes.collect(),
        })
    }

    pub(super) fn begin(&mut self, lane: Uuid) {
        self.0.entry(lane).or_default().in_flight += 1;
    }

    pub(super) fn note(&mut self, ended: &Result<Settled, JoinError>) {
        let Ok(settled) = ended else {
            // A task that panicked is a fault of ours; its lane is not known, so all begin anew.
            tracing::error!("an attempt to deliver broke off");
            self.0.clear();
            return;
        };
        if let Some(lane) = self.0.get_mut(&settled.lane) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            lane.failed = !settled.arrived;
            if lane.in_flight == 0 && !lane.failed {
                self.0.remove(&settled.lane);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn room_of(lanes: &Lanes, lane: Uuid) -> usize {
        let room = lanes.room(0).unwrap();
        let named = room.lanes.iter().find(|(id, _)| *id == lane);
        named.map_or(room.lane, |(_, room)| *room)
    }

    #[test]
    fn a_receiver_that_fails_has_one_at_a_time_until_it_takes_one() {
        let (mut lanes, lane) = (Lanes::default(), Uuid::from_u128(1));
        let ended = |arrived| Ok(Settled { lane, arrived });
        assert_eq!(room_of(&lanes, lane), LANE_MAX);
        for begun in 1..=LANE_MAX {
            lanes.begin(lane);
            assert_eq!(room_of(&lanes, lane), LANE_MAX - begun);
        }
        for _ in 0..LANE_MAX {
            lanes.note(&ended(false));
        }
        assert_eq!(room_of(&lanes, lane), LANE_FAILED_MAX);
        lanes.begin(lane);
        assert_eq!(room_of(&lanes, lane), 0);
        lanes.note(&ended(true));
        assert_eq!(room_of(&lanes, lane), LANE_MAX);
        assert!(lanes.0.is_empty());
    }

    #[test]
    fn a_full_sender_takes_nothing() {
        assert!(Lanes::default().room(FLIGHTS_MAX).is_none());
        assert_eq!(Lanes::default().room(FLIGHTS_MAX - 3).unwrap().total, 3);
    }
}
