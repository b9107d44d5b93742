//! How many requests a principal has left, as its answers tell it: the headers of
//! draft-ietf-httpapi-ratelimit-headers-06, the last draft with one header for each figure.

/// What is left in the minute at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Requests in a minute.
    pub limit: u32,
    pub remaining: u32,
    /// Seconds until all of them are there again.
    pub reset: u32,
    /// Seconds until there is one; 0 when there is one now.
    pub retry_after: u32,
}

impl Budget {
    /// Returns the headers that tell of it.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 4] {
        [
            ("ratelimit-limit", self.limit.to_string()),
            ("ratelimit-remaining", self.remaining.to_string()),
            ("ratelimit-reset", self.reset.to_string()),
            ("ratelimit-policy", format!("{};w=60", self.limit)),
        ]
    }
}
