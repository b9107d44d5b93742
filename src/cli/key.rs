//! `stepwell key`: keys of the API, made in the database itself, so that there can be a first one.

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;
use secrecy::ExposeSecret as _;
use stepwell::queue::clock;
use stepwell::queue::key::{self, Changed, Key, KeyFilter, NAME_CHARS_MAX, NewKey, Role, Standing};
use stepwell::queue::{Actor, Store};

use super::{Given, parts, print};
use crate::config::{Mistake, database};

/// Who makes keys here, in the audit records.
const ACTOR: &str = "cli";
/// Keys read at once.
const PAGE: i64 = 200;

#[derive(Debug, clap::Args)]
pub(super) struct KeyCommand {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    database: database::Layer,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a key and print it: it is shown this once.
    Create {
        /// Unique among the keys that are not revoked; it stands in audit records.
        #[arg(long)]
        name: String,
        /// viewer: reads; operator: also executes, retries, cancels, signals, pauses; admin: all.
        #[arg(long)]
        role: String,
        /// When it ends: a time (2027-03-01T12:00:00Z) or from now (90d, 12h, 30m) [default: never].
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// List the keys, without the keys themselves.
    List {
        /// Revoked ones too.
        #[arg(long)]
        revoked: bool,
    },
    /// Revoke a key: it is refused at once.
    Revoke {
        /// Its name or id.
        key: String,
    },
}

impl KeyCommand {
    pub(super) async fn run(self, given: Given) -> anyhow::Result<()> {
        let database = self.database.over(given.file.database).resolve()?;
        let store = parts::open(&database)?;
        let outcome = match self.verb {
            Verb::Create {
                name,
                role,
                expires,
            } => create(&store, name, &role, expires.as_deref(), given.json).await,
            Verb::List { revoked } => list(&store, revoked, given.json).await,
            Verb::Revoke { key } => revoke(&store, &key, given.json).await,
        };
        store.close().await;
        outcome
    }
}

fn actor() -> Actor {
    Actor {
        name: ACTOR.into(),
        ..Actor::default()
    }
}

async fn create(
    store: &Store,
    name: String,
    role: &str,
    expires: Option<&str>,
    json: bool,
) -> anyhow::Result<()> {
    store.set_clock().await?;
    let now = clock::now();
    if !key::is_name(&name) {
        return Err(Mistake::new(format!(
            "--name must be 1 to {NAME_CHARS_MAX} letters, digits, dots, dashes, underscores or @"
        ))
        .into());
    }
    let role = Role::from_word(role)
        .ok_or_else(|| Mistake::new("--role must be viewer, operator or admin"))?;
    let new = NewKey {
        id: clock::id(),
        name,
        role,
        text: key::fresh(),
        created_at: now,
        expires_at: expires.map(|text| end(text, now)).transpose()?,
    };
    let key = match store
        .create_key(&new, &actor(), None)
        .await
        .context("the key cannot be made")?
    {
        Changed::Done(key) => key,
        Changed::NameTaken => bail!(
            "another key is named {:?}: revoke that one first, or choose another name",
            new.name
        ),
        other => bail!("making the key came to {other:?}"),
    };
    let text = new.text.expose_secret();
    if json {
        return print::json(&serde_json::json!({
            "id": key.id, "name": key.name, "role": key.role.as_str(), "key": text,
            "expires_at": key.expires_at,
        }));
    }
    print::line(text);
    print::line("It is shown this once; only its hash is kept.");
    Ok(())
}

/// Reads when a key is to end.
fn end(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Mistake> {
    let wrong = || {
        Mistake::new(format!(
            "--expires {text:?}: give a time in the future such as 2027-03-01T12:00:00Z, or from \
             now as 90d, 12h or 30m"
        ))
    };
    let time = if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        time.to_utc()
    } else {
        let unit = text.chars().last().ok_or_else(wrong)?;
        let count = text.strip_suffix(unit).and_then(|count| count.parse().ok());
        let span = match unit {
            'd' => count.and_then(TimeDelta::try_days),
            'h' => count.and_then(TimeDelta::try_hours),
            'm' => count.and_then(TimeDelta::try_minutes),
            _ => None,
        };
        span.and_then(|span| now.checked_add_signed(span))
            .ok_or_else(wrong)?
    };
    if time > now { Ok(time) } else { Err(wrong()) }
}

async fn list(store: &Store, revoked: bool, json: bool) -> anyhow::Result<()> {
    let mut keys: Vec<Key> = Vec::new();
    loop {
        let filter = KeyFilter {
            revoked,
            descending: true,
            after: keys.last().map(|key| key.id),
            offset: 0,
            limit: PAGE,
        };
        let page = store
            .list_keys(filter)
            .await
            .context("the keys cannot be read")?;
        if page.is_empty() {
            break;
        }
        keys.extend(page);
    }
    if json {
        let keys: Vec<_> = keys.iter().map(shown).collect();
        return print::json(&keys);
    }
    let rows: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            let time = |at: Option<DateTime<Utc>>| {
                at.map_or_else(
                    || "-".to_owned(),
                    |at| at.format("%Y-%m-%d %H:%M").to_string(),
                )
            };
            vec![
                key.name.clone(),
                key.role.as_str().to_owned(),
                status(key).to_owned(),
                format!("{}…", key.prefix),
                time(Some(key.created_at)),
                time(key.expires_at),
                time(key.last_used_at),
            ]
        })
        .collect();
    let head = [
        "name",
        "role",
        "status",
        "key",
        "created",
        "expires",
        "last used",
    ];
    print::table(&head, &rows);
    Ok(())
}

async fn revoke(store: &Store, key: &str, json: bool) -> anyhow::Result<()> {
    match store
        .revoke_key(key, &actor())
        .await
        .context("the key cannot be revoked")?
    {
        Changed::Done(key) if json => print::json(&shown(&key)),
        Changed::Done(key) => {
            print::line(format_args!("{} is revoked", key.name));
            Ok(())
        }
        Changed::NotFound => bail!("there is no key {key:?}"),
        other => bail!("revoking the key came to {other:?}"),
    }
}

fn status(key: &Key) -> &'static str {
    match key.standing(clock::now()) {
        Standing::Good => "active",
        Standing::Expired => "expired",
        Standing::Revoked => "revoked",
    }
}

fn shown(key: &Key) -> serde_json::Value {
    serde_json::json!({
        "id": key.id, "name": key.name, "role": key.role.as_str(), "prefix": key.prefix,
        "status": status(key), "created_by": key.created_by, "created_at": key.created_at,
        "expires_at": key.expires_at, "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    })
}

#[cfg(test)]
mod tests {
    use super::{TimeDelta, clock, end};

    #[test]
    fn an_end_is_a_time_or_a_span() {
        let now = clock::now();
        let span = |text: &str| end(text, now).map(|end| end - now).map_err(|m| m.0);
        assert_eq!(span("90d"), Ok(TimeDelta::days(90)));
        assert_eq!(span("12h"), Ok(TimeDelta::hours(12)));
        assert_eq!(span("30m"), Ok(TimeDelta::minutes(30)));
        assert!(span("2999-01-01T00:00:00Z").is_ok());
        for odd in [
            "",
            "d",
            "-1d",
            "0d",
            "90",
            "1y",
            "2001-01-01T00:00:00Z",
            "99999999999999d",
        ] {
            assert!(span(odd).is_err(), "{odd}");
        }
    }
}
