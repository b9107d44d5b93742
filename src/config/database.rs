//! `[database]`: where the data is, and how the process holds on to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use stepwell::queue::retention::Retention;
use stepwell::queue::secret::Cipher;
use stepwell::queue::store::StoreOptions;

use super::Mistake;

/// Connections that serve requests; the hot loops hold theirs besides. More than this many
/// concurrent statements make a small server slower, not faster.
const POOL_MAX_DEFAULT: u32 = 16;
/// How long a request waits for a connection: shorter than the patience of most clients.
const ACQUIRE_TIMEOUT_MS_DEFAULT: u64 = 5_000;

/// Flags, variables and keys.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[group(skip)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// The Postgres server, as `postgres://user:password@host:port/database?sslmode=verify-full`.
    #[arg(
        long = "database-url",
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    pub(crate) url: Option<SecretString>,
    /// A file with that URL in place of the URL itself, which wins.
    #[arg(
        long = "database-url-file",
        env = "STEPWELL_DATABASE_URL_FILE",
        value_name = "FILE",
        global = true
    )]
    pub(crate) url_file: Option<PathBuf>,
    /// Connections that serve requests, 2–500 [default: 16]. Workers hold some more.
    #[arg(
        long,
        env = "STEPWELL_DATABASE_POOL_MAX",
        value_name = "N",
        global = true
    )]
    pub(crate) pool_max: Option<u32>,
    /// Milliseconds that a request waits for a connection before it is answered 503 [default: 5000].
    #[arg(
        long,
        env = "STEPWELL_DATABASE_ACQUIRE_TIMEOUT_MS",
        value_name = "MS",
        global = true
    )]
    pub(crate) acquire_timeout_ms: Option<u64>,
    /// Whether LISTEN is used [default: true]; false behind a pooler in transaction mode.
    #[arg(
        long,
        env = "STEPWELL_DATABASE_LISTEN",
        value_name = "BOOL",
        global = true
    )]
    pub(crate) listen: Option<bool>,
    /// Whole days that finished runs are kept after the day they began on [default: for ever].
    #[arg(
        long,
        env = "STEPWELL_RETENTION_DAYS",
        value_name = "DAYS",
        global = true
    )]
    pub(crate) retention_days: Option<u16>,
    /// Whole days that audit records are kept [default: for ever].
    #[arg(
        long,
        env = "STEPWELL_AUDIT_RETENTION_DAYS",
        value_name = "DAYS",
        global = true
    )]
    pub(crate) audit_retention_days: Option<u16>,
    /// A file with the key that encrypts credentials and signing secrets at rest: 32 bytes, as 64
    /// hexadecimal digits or base64. Further lines hold older keys, which only decrypt.
    #[arg(
        long,
        env = "STEPWELL_MASTER_KEY_FILE",
        value_name = "FILE",
        global = true
    )]
    pub(crate) master_key_file: Option<PathBuf>,
    /// The key itself, in place of a file: the environment is its place, not the command line.
    #[arg(long, env = "STEPWELL_MASTER_KEY", hide = true, global = true)]
    pub(crate) master_key: Option<SecretString>,
}

impl Layer {
    pub(crate) fn over(self, lower: Self) -> Self {
        Self {
            // Of one layer the URL wins over its file; of two layers the upper one, whichever it has.
            url: if self.url_file.is_some() {
                self.url
            } else {
                self.url.or(lower.url)
            },
            url_file: self.url_file.or(lower.url_file),
            pool_max: self.pool_max.or(lower.pool_max),
            acquire_timeout_ms: self.acquire_timeout_ms.or(lower.acquire_timeout_ms),
            listen: self.listen.or(lower.listen),
            retention_days: self.retention_days.or(lower.retention_days),
            audit_retention_days: self.audit_retention_days.or(lower.audit_retention_days),
            master_key_file: self.master_key_file.or(lower.master_key_file),
            master_key: self.master_key.or(lower.master_key),
        }
    }

    /// Checks the values and fills in the defaults.
    ///
    /// # Errors
    /// A value out of its range, or a key that cannot be read.
    pub(crate) fn resolve(self) -> Result<Database, Mistake> {
        let pool_max = self.pool_max.unwrap_or(POOL_MAX_DEFAULT);
        if !(2..=500).contains(&pool_max) {
            return Err(Mistake::new(format!(
                "database.pool_max is {pool_max}: it must be 2–500"
            )));
        }
        let master_key = match (self.master_key, self.master_key_file) {
            (Some(key), _) => Some(checked(key.expose_secret(), "STEPWELL_MASTER_KEY")?),
            (None, Some(path)) => Some(read_key(&path)?),
            (None, None) => None,
        };
        let url = match (self.url, self.url_file) {
            (Some(url), _) => Some(url),
            (None, Some(path)) => Some(read_url(&path)?),
            (None, None) => None,
        };
        Ok(Database {
            url,
            pool_max,
            acquire_timeout: Duration::from_millis(
                self.acquire_timeout_ms
                    .unwrap_or(ACQUIRE_TIMEOUT_MS_DEFAULT),
            ),
            listen: self.listen.unwrap_or(true),
            retention: Retention {
                run_days: self.retention_days,
                audit_days: self.audit_retention_days,
            },
            master_key,
        })
    }
}

fn read_url(path: &Path) -> Result<SecretString, Mistake> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Mistake::new(format!(
            "cannot read the database's URL {}: {error}",
            path.display()
        ))
    })?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Mistake::new(format!("{} is empty", path.display())));
    }
    Ok(text.into())
}

/// Reads a master key.
///
/// # Errors
/// When the file cannot be read or does not hold a key.
pub(crate) fn read_key(path: &Path) -> Result<SecretString, Mistake> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Mistake::new(format!(
            "cannot read the master key {}: {error}",
            path.display()
        ))
    })?;
    checked(&text, &path.display().to_string())
}

fn checked(text: &str, place: &str) -> Result<SecretString, Mistake> {
    let key = SecretString::from(text.trim());
    Cipher::new(&key).map_err(|error| Mistake::new(format!("{place}: {error}")))?;
    Ok(key)
}

/// The settings in force.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// Absent: a private Postgres, where the command can start one.
    pub(crate) url: Option<SecretString>,
    pub(crate) pool_max: u32,
    pub(crate) acquire_timeout: Duration,
    pub(crate) listen: bool,
    pub(crate) retention: Retention,
    pub(crate) master_key: Option<SecretString>,
}

impl Database {
    /// The same as the store wants it.
    ///
    /// # Errors
    /// When there is no URL.
    pub(crate) fn store_options(&self) -> Result<StoreOptions, Mistake> {
        let Some(url) = self.url.clone() else {
            return Err(Mistake::new(
                "no database is named: set DATABASE_URL, or --database-url; \
                 `stepwell up` runs a private one",
            ));
        };
        Ok(StoreOptions {
            url,
            pool_max: self.pool_max,
            acquire_timeout: self.acquire_timeout,
            listen: self.listen,
            retention: self.retention,
            master_key: self.master_key.clone(),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{ExposeSecret, Layer};

    fn url(upper: Layer, lower: Layer) -> Result<Option<String>, String> {
        let database = upper.over(lower).resolve().map_err(|mistake| mistake.0)?;
        Ok(database.url.map(|url| url.expose_secret().to_owned()))
    }

    #[test]
    fn the_url_may_be_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("url");
        let in_file = || Layer {
            url_file: Some(path.clone()),
            ..Layer::default()
        };
        let given = || Layer {
            url: Some("postgres://given".into()),
            ..Layer::default()
        };
        assert!(
            url(in_file(), Layer::default())
                .unwrap_err()
                .contains("url")
        );
        std::fs::write(&path, "postgres://filed\n").unwrap();
        let filed = Ok(Some("postgres://filed".to_owned()));
        assert_eq!(url(in_file(), Layer::default()), filed);
        assert_eq!(url(in_file(), given()), filed);
        let given_one = Ok(Some("postgres://given".to_owned()));
        assert_eq!(url(given(), in_file()), given_one);
        std::fs::write(&path, " ").unwrap();
        assert!(url(in_file(), Layer::default()).is_err());
    }
}
