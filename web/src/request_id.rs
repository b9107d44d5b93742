//! Every request has an id: the client's, or one that we make. It is in the answer, in every log
//! line of the request, and in the audit records that come of it.

use http::{HeaderMap, HeaderValue};
use salvo::{Depot, Request};

use crate::clock;
use crate::limits::REQUEST_ID_CHARS_MAX;

/// The header.
pub const HEADER: &str = "x-request-id";

/// The id of the request in work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    /// Takes the client's id, or makes one.
    ///
    /// # Errors
    /// The sentence for the client, when its id cannot be used.
    pub fn choose(req: &Request) -> Result<Self, String> {
        Self::choose_from(req.headers())
    }

    /// As [`RequestId::choose`], from the headers alone.
    ///
    /// # Errors
    /// As there.
    pub fn choose_from(headers: &HeaderMap) -> Result<Self, String> {
        match headers.get(HEADER) {
            None => Ok(Self::fresh()),
            Some(value) => Self::read(value).ok_or_else(|| {
                format!("X-Request-ID must be 1 to {REQUEST_ID_CHARS_MAX} visible ASCII characters")
            }),
        }
    }

    /// Makes a fresh id.
    #[must_use]
    pub fn fresh() -> Self {
        Self(clock::id().to_string())
    }

    /// Returns the id of the request that this depot belongs to.
    #[must_use]
    pub fn of(depot: &Depot) -> String {
        depot
            .get_typed::<Self>()
            .map_or_else(|_| Self::fresh().0, |id| id.0.clone())
    }

    fn read(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let fits = (1..=REQUEST_ID_CHARS_MAX).contains(&bytes.len());
        (fits && bytes.iter().all(u8::is_ascii_graphic))
            .then(|| Self(String::from_utf8_lossy(bytes).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::RequestId;
    use http::HeaderValue;

    #[test]
    fn only_visible_ascii_of_bounded_length_is_kept() {
        let read = |bytes: &[u8]| RequestId::read(&HeaderValue::from_bytes(bytes).unwrap());
        assert_eq!(read(b"abc-1"), Some(RequestId("abc-1".into())));
        assert!(read(&[b'x'; 128]).is_some());
        assert_eq!(read(&[b'x'; 129]), None);
        assert_eq!(read(b""), None);
        assert_eq!(read(b"a b"), None);
        assert_eq!(read("é".as_bytes()), None);
    }
}
