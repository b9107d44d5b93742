//! Keys of the API: who may ask for what. The key itself is shown once, when it is made; what is
//! kept is its SHA-256.
//!
//! No slow hash: those protect passwords that people choose from being guessed offline. A key is 43
//! characters chosen at random, 256 bits: nobody guesses it, whatever one guess costs.

mod change;
mod check;
mod read;

use rand::Rng as _;
use rand::distr::Alphanumeric;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use stepwell_workflow::Time;
use uuid::Uuid;

use crate::new_run::Answer;

pub use change::NewKey;
pub(crate) use check::Seen;
pub use read::KeyFilter;

/// The entity type of audit records and hints.
pub(crate) const ENTITY: &str = "key";

/// How every key begins: scanners for leaked secrets know it by that.
pub const PREFIX: &str = "swk_";
/// Characters after the prefix: 43 of 62 kinds have 256 bits.
const RANDOM_CHARS: usize = 43;
/// Characters of the key that are kept and shown, its prefix among them: enough to tell keys apart,
/// and 208 bits stay secret.
const SHOWN_CHARS: usize = PREFIX.len() + 8;
/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 64;

/// What a key, or whoever is asked for, may do. Each may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also executes, retries, cancels, signals, pauses, and works with records and appeals.
    Operator,
    /// May do everything.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// Returns the word for it in SQL and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// A key as it is kept.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: Uuid,
    pub name: String,
    pub role: Role,
    /// How it begins.
    pub prefix: String,
    /// 1 when it is made, 2 when it is revoked.
    pub revision: i64,
    pub created_by: String,
    pub created_at: Time,
    pub expires_at: Option<Time>,
    pub revoked_at: Option<Time>,
    /// Within a minute.
    pub last_used_at: Option<Time>,
}

/// Whether a key opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Good,
    Expired,
    Revoked,
}

impl Key {
    /// Says whether the key opens anything at this time.
    #[must_use]
    pub fn standing(&self, now: Time) -> Standing {
        if self.revoked_at.is_some() {
            Standing::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            Standing::Expired
        } else {
            Standing::Good
        }
    }
}

/// What came of a change to a key.
#[derive(Debug)]
pub enum Changed {
    /// Done, audited and committed; or revoked already.
    Done(Box<Key>),
    /// The idempotency key was used before, with the same request: the first answer.
    Replayed(Answer),
    /// The idempotency key was used before, with another request.
    KeyReused,
    NotFound,
    /// Another key that is not revoked has the name.
    NameTaken,
}

/// Makes the text of a key from the system's random numbers.
#[must_use]
pub fn fresh() -> SecretString {
    let random = rand::rng()
        .sample_iter(Alphanumeric)
        .take(RANDOM_CHARS)
        .map(char::from);
    PREFIX.chars().chain(random).collect::<String>().into()
}

/// Says whether a text has the form of a key.
#[must_use]
pub fn is_key(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|rest| {
        rest.len() == RANDOM_CHARS && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Says whether a text can be the name of a key: it stands in audit records and log lines.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte))
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_fresh_key_has_the_form_and_is_another_each_time() {
        let (one, other) = (fresh(), fresh());
        assert!(is_key(one.expose_secret()) && is_key(other.expose_secret()));
        assert_ne!(one.expose_secret(), other.expose_secret());
        for odd in [
            "",
            "swk_",
            "swk_abc",
            &"x".repeat(47),
            &format!("swk_{}", "é".repeat(21)),
        ] {
            assert!(!is_key(odd), "{odd}");
        }
    }

    #[test]
    fn names_are_plain() {
        assert!(is_name("ci.deploy-1_a@b"));
        for odd in ["", "a b", "a\nb", "é", &"x".repeat(65)] {
            assert!(!is_name(odd), "{odd}");
        }
    }

    #[test]
    fn roles_are_in_order_and_read_back() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.as_str()), Some(role));
        }
        assert_eq!(Role::from_word("Admin"), None);
    }

    #[test]
    fn a_key_ends_at_its_time() {
        let now = crate::clock::now();
        let mut key = Key {
            id: Uuid::nil(),
            name: "a".into(),
            role: Role::Viewer,
            prefix: "swk_".into(),
            revision: 1,
            created_by: "cli".into(),
            created_at: now,
            expires_at: Some(now + TimeDelta::seconds(1)),
            revoked_at: None,
            last_used_at: None,
        };
        assert_eq!(key.standing(now), Standing::Good);
        assert_eq!(key.standing(now + TimeDelta::seconds(1)), Standing::Expired);
        key.revoked_at = Some(now);
        assert_eq!(key.standing(now), Standing::Revoked);
    }
}
