//! Who asks, and may they?
//!
//! A request is asked for credentials unless the server is open: an API key or a JSON Web Token. What
//! it may do stands in one table ([`policy`]). A failed attempt counts against the client's address,
//! a good one against the budget of its key ([`rate`]).
//!
//! [`Gate::authenticate`] takes headers alone, so that REST and gRPC ask the same question.

mod budget;
mod gate;
pub mod jwks;
mod pass;
pub mod policy;
mod presented;
mod rate;
mod refusal;
mod token;

use std::sync::Arc;

pub use budget::Budget;
pub use gate::Gate;
pub use pass::Pass;
pub use refusal::Refusal;
pub use stepwell_queue::key::Role;
pub use token::{JwtOptions, SECRET_BYTES_MIN};

/// Who is asked for credentials, and what counts as some.
#[derive(Clone, Debug, Default)]
pub enum AuthOptions {
    /// Nobody is asked: everybody is `anonymous` and may do everything.
    #[default]
    Open,
    /// Everybody is asked.
    Required(Required),
}

/// What counts as credentials besides the API keys in the database.
#[derive(Clone, Debug, Default)]
pub struct Required {
    pub jwt: Option<JwtOptions>,
    /// Requests that each key or user may make in a minute; `None` is any number.
    pub rate_per_minute: Option<std::num::NonZeroU32>,
}

/// The one who sent the request in work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `anonymous`, `key:<name>` or `user:<subject>`: the actor of audit records.
    pub name: Arc<str>,
    pub role: Role,
    /// What is left of the principal's requests, where they are limited.
    pub budget: Option<Budget>,
}

impl Principal {
    /// Everybody, where nobody is asked.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name: "anonymous".into(),
            role: Role::Admin,
            budget: None,
        }
    }

    /// Says whether the principal may do what needs this role.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], which names the role.
    pub fn allow(&self, needed: Role) -> Result<(), Refusal> {
        if self.role >= needed {
            return Ok(());
        }
        Err(Refusal::Forbidden(format!(
            "This needs the role {}; {} has the role {}.",
            needed.as_str(),
            self.name,
            self.role.as_str()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_do_what_lesser_ones_may() {
        let operator = Principal {
            role: Role::Operator,
            ..Principal::anonymous()
        };
        assert_eq!(operator.allow(Role::Viewer), Ok(()));
        assert_eq!(operator.allow(Role::Operator), Ok(()));
        let refused = operator.allow(Role::Admin);
        assert!(matches!(&refused, Err(Refusal::Forbidden(text)) if text.contains("admin")));
    }
}
