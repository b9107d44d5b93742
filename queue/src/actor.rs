//! Who asks: goes into every audit record.

/// The one on whose word something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// `anonymous`, a key's name, `worker:<id>`, `sql:<role>`, `run:<parent id>` …
    pub name: String,
    /// The request that carried the word.
    pub request_id: Option<String>,
}
