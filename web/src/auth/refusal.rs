//! Why a request is not let in, and how that is said over HTTP.

use super::Budget;
use crate::problem::{Kind, Problem};

/// Why a request is not let in. No credential is ever in the words.
#[derive(Debug)]
pub enum Refusal {
    /// It presents nothing.
    Missing,
    /// What it presents opens nothing: a sentence.
    Wrong(String),
    /// The principal is known and may not do this: a sentence that names the role.
    Forbidden(String),
    /// Too many failed attempts from this address: seconds to wait.
    TooManyFailures { retry_after: u32 },
    /// The principal has made all its requests.
    TooManyRequests { budget: Budget },
    /// Too many wait to be told whether they may come in.
    Busy,
    /// Whoever could tell cannot be asked: the database, or the server of the token's keys.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}

impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Missing, Self::Missing) => true,
            (Self::Wrong(a), Self::Wrong(b)) | (Self::Forbidden(a), Self::Forbidden(b)) => a == b,
            _ => false,
        }
    }
}

impl From<stepwell_queue::Error> for Refusal {
    fn from(error: stepwell_queue::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::new(
                Kind::Unauthorized,
                "Send an API key as X-API-Key, or a key or token as Authorization: Bearer.",
            )
            .with_header("www-authenticate", "Bearer realm=\"stepwell\""),
            Refusal::Wrong(detail) => Self::new(Kind::Unauthorized, detail).with_header(
                "www-authenticate",
                "Bearer realm=\"stepwell\", error=\"invalid_token\"",
            ),
            Refusal::Forbidden(detail) => Self::new(Kind::Forbidden, detail),
            Refusal::TooManyFailures { retry_after } => Self::new(
                Kind::RateLimited,
                "Too many failed attempts came from this address.",
            )
            .with_header("retry-after", retry_after.to_string()),
            Refusal::TooManyRequests { budget } => {
                let detail = format!(
                    "All {} requests of a minute are made. Try again in {} s.",
                    budget.limit, budget.retry_after
                );
                let mut problem = Self::new(Kind::RateLimited, detail)
                    .with_header("retry-after", budget.retry_after.to_string());
                for (name, value) in budget.headers() {
                    problem = problem.with_header(name, value);
                }
                problem
            }
            Refusal::Busy => crate::admission::busy(),
            Refusal::Unavailable(cause) => Self::new(
                Kind::Unavailable,
                "The credentials cannot be checked now. Try again shortly.",
            )
            .caused_by(cause),
        }
    }
}
