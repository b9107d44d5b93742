//! Reads what others answered. A large answer is read by one of few at a time, so that many of them at
//! once take neither the threads of all other work nor the memory of all at once while they are read.

use stepwell_queue::Apart;

/// Bytes of an answer that is read where it is: a fraction of a millisecond.
const READ_IN_PLACE_BYTES_MAX: usize = 64 << 10;
/// Larger ones that are read at once.
const READ_AT_ONCE: usize = 2;

/// Every answer gets its turn.
static READING: Apart = Apart::new(READ_AT_ONCE, usize::MAX);

/// Calls what reads so many bytes.
pub(super) async fn by_size<T>(bytes: usize, read: impl FnOnce() -> T) -> T {
    if bytes <= READ_IN_PLACE_BYTES_MAX {
        return read();
    }
    READING.call(read).await
}
