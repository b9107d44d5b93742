//! Keys as clients send and see them.

use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::key;
use uuid::Uuid;

use crate::clock::now;
use crate::example::Example;
use crate::moment::Moment;

/// A key to be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "KeyInput"))]
pub struct KeyInput {
    /// Unique among the keys that are not revoked. It stands in audit records as `key:<name>`.
    #[salvo(schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._@-]{1,64}$"))]
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// When it ends, RFC 3339; absent or null is never.
    #[serde(default)]
    pub expires_at: Option<String>,
}

impl Example for KeyInput {
    fn example() -> Value {
        json!({"name": "ci", "role": "operator", "expires_at": "2027-03-01T12:00:00Z"})
    }
}

/// A key, without the key itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Key"))]
pub struct Key {
    pub id: Uuid,
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: &'static str,
    /// How the key begins, to tell keys apart.
    pub prefix: String,
    /// `active`, `expired` or `revoked`.
    pub status: &'static str,
    pub created_by: String,
    pub created_at: Moment,
    pub expires_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
    /// To the minute.
    pub last_used_at: Option<Moment>,
}

impl From<key::Key> for Key {
    fn from(key: key::Key) -> Self {
        let status = match key.standing(now()) {
            key::Standing::Good => "active",
            key::Standing::Expired => "expired",
            key::Standing::Revoked => "revoked",
        };
        Self {
            id: key.id,
            name: key.name,
            role: key.role.as_str(),
            prefix: key.prefix,
            status,
            created_by: key.created_by,
            created_at: key.created_at.into(),
            expires_at: key.expires_at.map(Into::into),
            revoked_at: key.revoked_at.map(Into::into),
            last_used_at: key.last_used_at.map(Into::into),
        }
    }
}

impl Example for Key {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "name": "ci", "role": "operator",
            "prefix": "swk_Xy3kQ9aB", "status": "active", "created_by": "cli",
            "created_at": "2026-03-01T12:00:00.000Z", "expires_at": "2027-03-01T12:00:00.000Z",
            "revoked_at": null, "last_used_at": null,
        })
    }
}

/// A key that was just made.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[salvo(schema(name = "NewKey"))]
pub struct NewKey {
    #[serde(flatten)]
    #[salvo(schema(inline))]
    pub about: Key,
    /// The key itself. It is shown this once; null when the answer is given again for an
    /// `Idempotency-Key`, which keeps no secrets.
    pub key: Option<String>,
}

impl Example for NewKey {
    fn example() -> Value {
        let mut example = Key::example();
        example["key"] = json!("swk_Xy3kQ9aBv0cD1eF2gH3iJ4kL5mN6oP7qR8sT9uV0wX1");
        example
    }
}
