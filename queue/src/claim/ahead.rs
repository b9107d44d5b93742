//! Runs that are claimed before there is a slot for them. A claim has to go to the disk and back; where
//! runs come through quickly, slots would be empty meanwhile, and the commits behind them have nothing to do.
//!
//! As many as came through lately within [`REACH`] are claimed ahead, so at that pace none of them waits
//! longer for its slot. Where runs take their time nothing is claimed ahead: another worker may have a slot.

use std::time::{Duration, Instant};

/// How far ahead: a few times what a claim takes.
const REACH: Duration = Duration::from_millis(20);
/// Fewer within the reach are not worth it: at such a pace a claim is done before slots are missed.
const LEAST: usize = 50;
/// What is claimed ahead waits in memory. More would gain nothing, since a claim takes no more at once.
const MOST: usize = 500;

/// The pace at which runs come through.
#[derive(Debug)]
pub(super) struct Ahead {
    since: Instant,
    /// Runs that had come through by then.
    gone: usize,
    room: usize,
}

impl Ahead {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            gone: 0,
            room: 0,
        }
    }

    /// Takes note of how many runs have come through up to now; returns how many may be claimed ahead.
    pub(super) fn room(&mut self, now: Instant, gone: usize) -> usize {
        let passed = now.saturating_duration_since(self.since);
        if passed >= REACH {
            let lately = gone.saturating_sub(self.gone) as u128;
            let within = lately * REACH.as_micros() / passed.as_micros();
            let within = usize::try_from(within).unwrap_or(MOST);
            self.room = if within < LEAST { 0 } else { within.min(MOST) };
            self.since = now;
            self.gone = gone;
        }
        self.room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_claimed_ahead_as_come_through_within_the_reach() {
        let begun = Instant::now();
        let at = |reaches: u32| begun + REACH * reaches;
        let mut ahead = Ahead::new(begun);
        assert_eq!(ahead.room(begun, 0), 0, "nothing is known yet");
        assert_eq!(ahead.room(at(1), 200), 200);
        assert_eq!(ahead.room(at(1), 900), 200, "until it is looked at again");
        assert_eq!(ahead.room(at(2), 1_200), MOST);
        assert_eq!(
            ahead.room(at(12), 2_200),
            100,
            "a thousand, but in ten times the reach"
        );
        assert_eq!(ahead.room(at(13), 2_200 + LEAST - 1), 0, "slow");
        assert_eq!(ahead.room(at(14), 2_200 + LEAST - 1), 0, "nothing moves");
    }
}
