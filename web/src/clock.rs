//! What time it is, as the API writes it down: the queue's clock, in microseconds like the database.
//! The first answer must equal all later ones.

pub use stepwell_queue::clock::{host, id, now};
