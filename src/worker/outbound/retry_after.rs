//! The Retry-After header: seconds or an HTTP date.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The longest wait that a called service may ask for: beyond it, the retry policy's own
/// longest interval is what the workflow's author meant.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Reads a Retry-After header; `None` when it says nothing that can be read.
pub(crate) fn parse(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = DateTime::parse_from_rfc2822(value).ok()?;
            // A date in the past asks for no wait.
            (at.with_timezone(&Utc) - now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<Duration> {
        let now = "2015-10-21T07:27:00Z".parse().unwrap();
        parse(value, now)
    }

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(
            read("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(read("Wed, 21 Oct 2015 07:00:00 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn long_waits_are_cut_and_nonsense_is_ignored() {
        assert_eq!(read("999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(read("Fri, 21 Oct 2050 07:28:00 GMT"), Some(RETRY_AFTER_MAX));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-3"), None);
        assert_eq!(read("99999999999999999999999999"), None);
    }
}
