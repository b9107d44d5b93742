//! Every type that goes over the wire brings an example of itself, for the OpenAPI document.

use serde_json::Value;

/// Shows itself as JSON.
pub trait Example {
    /// Returns what a client would see or send.
    fn example() -> Value;
}
