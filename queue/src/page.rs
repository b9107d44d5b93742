//! One page of a list, bounded in entries and in bytes: a payload may have 4 MiB, and 200 of them would
//! be most of a process's memory. A page that is cut has a cursor like any other.

use futures::{Stream, TryStreamExt as _};
use serde_json::value::RawValue;
use sqlx::types::Json;

use crate::Error;

/// Bytes of payloads on one page, unless a single entry has more.
pub const PAGE_BYTES_MAX: usize = 16 << 20;

/// Takes rows while they fit, and says whether there are more. The query asks for one more than `limit`.
pub(crate) async fn take<R>(
    rows: impl Stream<Item = Result<R, sqlx::Error>>,
    limit: i64,
    bytes_of: impl Fn(&R) -> usize,
) -> Result<(Vec<R>, bool), Error> {
    let limit = usize::try_from(limit).unwrap_or(0);
    let mut taken = Vec::new();
    let mut bytes = 0;
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.try_next().await? {
        bytes += bytes_of(&row);
        let full = taken.len() == limit;
        if full || (bytes > PAGE_BYTES_MAX && !taken.is_empty()) {
            return Ok((taken, true));
        }
        taken.push(row);
    }
    Ok((taken, false))
}

/// Returns the length of a payload that may be absent.
pub(crate) fn length(payload: Option<&Json<Box<RawValue>>>) -> usize {
    payload.map_or(0, |json| json.0.get().len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    async fn taken(sizes: &[usize], limit: i64) -> (usize, bool) {
        let rows = futures::stream::iter(sizes.iter().map(Ok));
        let (taken, more) = take(rows, limit, |size| **size).await.unwrap();
        (taken.len(), more)
    }

    #[tokio::test]
    async fn a_page_ends_by_entries_or_by_bytes_and_has_at_least_one() {
        assert_eq!(taken(&[1, 1, 1], 2).await, (2, true));
        assert_eq!(taken(&[1, 1], 2).await, (2, false));
        let half = PAGE_BYTES_MAX / 2;
        assert_eq!(taken(&[half, half, 1], 50).await, (2, true));
        assert_eq!(taken(&[half * 3, 1], 50).await, (1, true));
    }
}
