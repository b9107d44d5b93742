//! Bits that look random and are always the same for the same attempt: the jitter of its backoff
//! and the id of its child run.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{RunState, StepKey, Time};

impl RunState {
    /// Returns bits that belong to the current attempt of this step.
    pub(super) fn seed(&self, key: StepKey) -> [u8; 16] {
        let step = self.at(key);
        let mut hash = Sha256::new();
        hash.update(self.header.id.as_bytes());
        hash.update(key.step.to_be_bytes());
        hash.update(key.item.map_or(u64::MAX, u64::from).to_be_bytes());
        hash.update(step.generation.to_be_bytes());
        hash.update(step.attempt.to_be_bytes());
        let mut seed = [0; 16];
        seed.copy_from_slice(&hash.finalize()[..16]);
        seed
    }

    /// Returns the seed of the jitter before the next attempt.
    pub(super) fn jitter_seed(&self, key: StepKey) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.seed(key);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// Returns the `UUIDv7` of the child run of the current attempt.
    pub(super) fn child_id(&self, key: StepKey, now: Time) -> Uuid {
        let [a, b, c, d, e, f, g, h, i, j, ..] = self.seed(key);
        let ms = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(ms, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
    }
}
