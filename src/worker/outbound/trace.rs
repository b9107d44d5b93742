//! W3C Trace Context on its way through: what a run calls belongs to the trace of the request that
//! started it.
//!
//! Trace id and flags go on unchanged; every call gets a parent id of its own, so that what the
//! called service does hangs below that one attempt. A stored value that is none is ignored: a
//! broken trace must not break a run.

use std::num::NonZeroU64;

use uuid::Uuid;

/// The version that is written. A later one that is read is written as this one.
const VERSION: u8 = 0;
/// What the standard forbids as a version.
const NO_VERSION: u8 = 0xff;
/// The flag that every version has: whether the caller records the trace.
const SAMPLED: u8 = 1;

/// The trace that a run belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    id: u128,
    flags: u8,
}

impl Trace {
    /// Reads a `traceparent`: `00-<32 digits>-<16 digits>-<2 digits>`, in lower-case hexadecimal.
    pub(crate) fn read(traceparent: &str) -> Option<Self> {
        let mut fields = traceparent.split('-');
        let version = hex(fields.next()?, 2)?;
        let id = hex(fields.next()?, 32)?;
        let parent = hex(fields.next()?, 16)?;
        let flags = u8::try_from(hex(fields.next()?, 2)?).ok()?;
        if version == u128::from(NO_VERSION) || id == 0 || parent == 0 {
            return None;
        }
        let flags = if version == u128::from(VERSION) {
            // A later version may add fields, this one has no more.
            fields.next().is_none().then_some(flags)?
        } else {
            flags & SAMPLED
        };
        Some(Self { id, flags })
    }

    /// Begins the trace of a run that belongs to none: its id is the run's, and nobody records it so far.
    pub(crate) const fn of_a_run(run_id: Uuid) -> Self {
        Self {
            id: run_id.as_u128(),
            flags: 0,
        }
    }

    /// Returns the `traceparent` of one call, which no other call has.
    pub(crate) fn of_a_call(self) -> String {
        let parent: NonZeroU64 = rand::random();
        let Self { id, flags } = self;
        format!("{VERSION:02x}-{id:032x}-{parent:016x}-{flags:02x}")
    }
}

/// Reads so many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != digits || !text.bytes().all(is_digit) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::HashSet;

    use super::Trace;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_call_stays_in_the_trace_under_a_parent_of_its_own() {
        let trace = Trace::read(GIVEN).unwrap();
        let calls: HashSet<String> = (0..100).map(|_| trace.of_a_call()).collect();
        assert_eq!(calls.len(), 100);
        for call in calls {
            assert!(
                call.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
                "{call}"
            );
            assert!(call.ends_with("-01") && call.len() == GIVEN.len(), "{call}");
            assert!(!call.contains("b7ad6b7169203331"), "{call}");
            assert_eq!(Trace::read(&call), Some(trace), "it can be handed on again");
        }
    }

    #[test]
    fn flags_go_on_as_they_came() {
        for flags in ["00", "01", "03"] {
            let given = format!("00-0000000000000000000000000000000a-000000000000000b-{flags}");
            let call = Trace::read(&given).unwrap().of_a_call();
            assert!(
                call.starts_with("00-0000000000000000000000000000000a-"),
                "{call}"
            );
            assert!(call.ends_with(flags), "{call}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for rest in ["", "-", "-more-of-it"] {
            let given = format!("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-f1{rest}");
            let call = Trace::read(&given).unwrap().of_a_call();
            assert!(
                call.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
                "{call}"
            );
            assert!(call.ends_with("-01"), "{call}");
        }
    }

    #[test]
    fn what_is_no_traceparent_is_ignored() {
        for wrong in [
            "",
            "00",
            "nonsense",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nx: y",
        ] {
            assert_eq!(Trace::read(wrong), None, "{wrong}");
        }
    }
}
