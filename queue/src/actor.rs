//! Who asks: goes into every audit record.

/// The one on whose word something happens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// `anonymous`, a key's name, `worker:<id>`, `sql:<role>`, `run:<parent id>` …
    pub name: String,
    /// The request that carried the word.
    pub request_id: Option<String>,
    /// The trace that the request belongs to (W3C Trace Context, `traceparent`). Kept with a run
    /// that the request makes, for the calls that the run makes.
    pub traceparent: Option<String>,
}
