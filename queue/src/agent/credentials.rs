//! How calls to an agent are authenticated, in the clear and at rest.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::secret::Cipher;
use crate::{Error, Store};

/// How calls to an agent are authenticated.
#[derive(Clone, Debug)]
pub enum Auth {
    None,
    Bearer(SecretString),
    ApiKey {
        header: String,
        key: SecretString,
    },
    Basic {
        username: String,
        password: SecretString,
    },
}

impl Auth {
    /// Returns the word for it in SQL and JSON.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bearer(_) => "bearer",
            Self::ApiKey { .. } => "api_key",
            Self::Basic { .. } => "basic",
        }
    }

    fn to_json(&self) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Bearer(token) => Some(json!({"token": token.expose_secret()})),
            Self::ApiKey { header, key } => {
                Some(json!({"header": header, "key": key.expose_secret()}))
            }
            Self::Basic { username, password } => {
                Some(json!({"username": username, "password": password.expose_secret()}))
            }
        }
    }

    fn from_json(kind: &str, value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        match kind {
            "bearer" => Some(Self::Bearer(text("token")?.into())),
            "api_key" => Some(Self::ApiKey {
                header: text("header")?,
                key: text("key")?.into(),
            }),
            "basic" => Some(Self::Basic {
                username: text("username")?,
                password: text("password")?.into(),
            }),
            _ => None,
        }
    }
}

/// What a change says of an agent's credentials.
#[derive(Clone, Debug)]
pub enum Credentials {
    Set(Auth),
    /// Those that are kept, which must be of this kind.
    Keep(&'static str),
}

impl Store {
    /// Returns the cipher, if there is a master key.
    pub(crate) fn cipher(&self) -> Result<Option<Cipher>, Error> {
        let key = self.options.master_key.as_ref();
        key.map(Cipher::new).transpose().map_err(Error::Corrupt)
    }

    /// Says whether agents with credentials can be kept.
    #[must_use]
    pub fn keeps_secrets(&self) -> bool {
        self.options.master_key.is_some()
    }
}

/// Encrypts credentials for an agent's row; `None` for those of kind `none`.
pub(super) fn seal(cipher: Option<&Cipher>, id: Uuid, auth: &Auth) -> Result<Sealed, Error> {
    match (auth.to_json(), cipher) {
        (None, _) => Ok(Sealed::Nothing),
        (Some(_), None) => Ok(Sealed::NoMasterKey),
        (Some(plain), Some(cipher)) => cipher
            .seal(id, plain.to_string().as_bytes())
            .map(Sealed::Secret),
    }
}

/// What came of encrypting.
pub(super) enum Sealed {
    Nothing,
    Secret(Vec<u8>),
    NoMasterKey,
}

/// Decrypts the credentials in an agent's row.
pub(super) fn open(
    cipher: Option<&Cipher>,
    id: Uuid,
    kind: &str,
    stored: Option<&[u8]>,
) -> Result<Auth, Error> {
    let Some(stored) = stored else {
        return Ok(Auth::None);
    };
    let cipher = cipher.ok_or_else(|| {
        Error::Corrupt(format!(
            "agent {id} has credentials, and no master key is set"
        ))
    })?;
    let plain = cipher.open(id, stored)?;
    serde_json::from_slice(&plain)
        .ok()
        .and_then(|value| Auth::from_json(kind, &value))
        .ok_or_else(|| Error::Corrupt(format!("the credentials of agent {id} have no known shape")))
}
