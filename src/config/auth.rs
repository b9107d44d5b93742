//! `[auth]`: who is asked for credentials, and what counts as some.

use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use stepwell::worker::pulse::Pulse;
use stepwell_web::auth::{AuthOptions, JwtOptions, Required, SECRET_BYTES_MIN};
use url::{Host, Url};

use super::Mistake;

const ROLE_CLAIM_DEFAULT: &str = "role";
/// Requests in a minute that a limit may be: more than a process answers.
const RATE_MAX: u32 = 10_000_000;

/// Whether anybody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Nobody.
    Open,
    /// Everybody: API keys, and tokens where they are set up.
    Keys,
}

/// Flags, variables and keys.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[group(skip)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// Who is asked for credentials: `open` is nobody, `keys` everybody [default: open; keys when
    /// tokens are set up].
    #[arg(long = "auth", env = "STEPWELL_AUTH", value_name = "MODE", value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Requests that each key or user may make in a minute; 0 is any number [default: 0].
    #[arg(long, env = "STEPWELL_RATE_LIMIT", value_name = "N")]
    pub(crate) rate_limit: Option<u32>,
    /// A file with the secret of JSON Web Tokens signed with HS256, 32 bytes at least.
    #[arg(long, env = "STEPWELL_JWT_SECRET_FILE", value_name = "FILE")]
    pub(crate) jwt_secret_file: Option<PathBuf>,
    /// The secret itself, in place of a file: the environment is its place, not the command line.
    #[arg(long, env = "STEPWELL_JWT_SECRET", hide = true)]
    pub(crate) jwt_secret: Option<SecretString>,
    /// Where the issuer of JSON Web Tokens publishes its keys (JWKS): RS256, ES256, EdDSA.
    #[arg(long, env = "STEPWELL_JWT_JWKS_URL", value_name = "URL")]
    pub(crate) jwt_jwks_url: Option<String>,
    /// What `iss` of a token must be.
    #[arg(long, env = "STEPWELL_JWT_ISSUER", value_name = "TEXT")]
    pub(crate) jwt_issuer: Option<String>,
    /// What `aud` of a token must be, or hold.
    #[arg(long, env = "STEPWELL_JWT_AUDIENCE", value_name = "TEXT")]
    pub(crate) jwt_audience: Option<String>,
    /// The claim that names the role: viewer, operator or admin; `a.b` is b inside of a [default: role].
    #[arg(long, env = "STEPWELL_JWT_ROLE_CLAIM", value_name = "NAME")]
    pub(crate) jwt_role_claim: Option<String>,
}

impl Layer {
    pub(crate) fn over(self, lower: Self) -> Self {
        Self {
            mode: self.mode.or(lower.mode),
            rate_limit: self.rate_limit.or(lower.rate_limit),
            jwt_secret_file: self.jwt_secret_file.or(lower.jwt_secret_file),
            jwt_secret: self.jwt_secret.or(lower.jwt_secret),
            jwt_jwks_url: self.jwt_jwks_url.or(lower.jwt_jwks_url),
            jwt_issuer: self.jwt_issuer.or(lower.jwt_issuer),
            jwt_audience: self.jwt_audience.or(lower.jwt_audience),
            jwt_role_claim: self.jwt_role_claim.or(lower.jwt_role_claim),
        }
    }

    /// Checks the values and fills in the defaults.
    ///
    /// # Errors
    /// Values that contradict each other, and secrets that are too short or cannot be read.
    pub(crate) fn resolve(self) -> Result<Auth, Mistake> {
        let rate = self.rate_limit.unwrap_or(0);
        if rate > RATE_MAX {
            return Err(Mistake::new(format!(
                "auth.rate_limit is {rate}: it must be 0–{RATE_MAX}"
            )));
        }
        let mode = self.mode;
        let tokens = self.tokens()?;
        match (mode, tokens) {
            (Some(Mode::Open), Some(_)) => Err(Mistake::new(
                "auth.mode is open, and tokens are set up: leave out one of them",
            )),
            (Some(Mode::Open) | None, None) if rate > 0 => Err(Mistake::new(
                "auth.rate_limit counts by key, and nobody is asked for one: set --auth keys too",
            )),
            (Some(Mode::Open) | None, None) => Ok(Auth::Open),
            (Some(Mode::Keys) | None, tokens) => Ok(Auth::Required {
                tokens,
                rate_per_minute: NonZeroU32::new(rate),
            }),
        }
    }

    fn tokens(self) -> Result<Option<Tokens>, Mistake> {
        let secret = match (self.jwt_secret, self.jwt_secret_file) {
            (Some(secret), _) => Some(checked(secret.expose_secret(), "STEPWELL_JWT_SECRET")?),
            (None, Some(path)) => {
                let place = path.display().to_string();
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    Mistake::new(format!("cannot read the secret of tokens {place}: {error}"))
                })?;
                Some(checked(&text, &place)?)
            }
            (None, None) => None,
        };
        if secret.is_none() && self.jwt_jwks_url.is_none() {
            let alone = self.jwt_issuer.is_some() || self.jwt_audience.is_some();
            if alone || self.jwt_role_claim.is_some() {
                return Err(Mistake::new(
                    "auth.jwt_… is set, but neither auth.jwt_jwks_url nor auth.jwt_secret_file: \
                     no token could be verified",
                ));
            }
            return Ok(None);
        }
        let (Some(issuer), Some(audience)) = (self.jwt_issuer, self.jwt_audience) else {
            return Err(Mistake::new(
                "auth.jwt_issuer and auth.jwt_audience are needed: without them a token that was \
                 made for another service would open this one",
            ));
        };
        let jwks_url = match self.jwt_jwks_url.as_deref().map(Url::parse) {
            None => None,
            Some(Ok(url)) if matches!(url.scheme(), "http" | "https") => Some(url),
            Some(_) => {
                return Err(Mistake::new(
                    "auth.jwt_jwks_url must be http:// or https://…",
                ));
            }
        };
        Ok(Some(Tokens {
            secret,
            jwks_url,
            issuer,
            audience,
            role_claim: self
                .jwt_role_claim
                .unwrap_or_else(|| ROLE_CLAIM_DEFAULT.to_owned()),
        }))
    }
}

fn checked(text: &str, place: &str) -> Result<SecretString, Mistake> {
    let secret = text.trim();
    if secret.len() < SECRET_BYTES_MIN {
        return Err(Mistake::new(format!(
            "{place}: the secret of tokens must be {SECRET_BYTES_MIN} bytes at least; \
             `openssl rand -base64 32` makes one"
        )));
    }
    Ok(secret.into())
}

/// The settings in force.
#[derive(Clone, Debug)]
pub(crate) enum Auth {
    Open,
    Required {
        tokens: Option<Tokens>,
        rate_per_minute: Option<NonZeroU32>,
    },
}

/// Which tokens are accepted.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    secret: Option<SecretString>,
    jwks_url: Option<Url>,
    issuer: String,
    audience: String,
    role_claim: String,
}

impl Auth {
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// The same as the server wants it.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn options(self) -> anyhow::Result<AuthOptions> {
        let Self::Required {
            tokens,
            rate_per_minute,
        } = self
        else {
            return Ok(AuthOptions::Open);
        };
        let jwt = match tokens {
            None => None,
            Some(tokens) => {
                let keys = match tokens.jwks_url {
                    None => None,
                    Some(url) => {
                        warn_of_plain_http(&url);
                        let client = Pulse::new(true).context("tokens cannot be verified")?;
                        Some((url, client.client()))
                    }
                };
                Some(JwtOptions {
                    secret: tokens.secret,
                    keys,
                    issuer: tokens.issuer,
                    audience: tokens.audience,
                    role_claim: tokens.role_claim,
                })
            }
        };
        Ok(AuthOptions::Required(Required {
            jwt,
            rate_per_minute,
        }))
    }
}

/// Whoever is between could publish keys of their own, and be anybody.
fn warn_of_plain_http(url: &Url) {
    let near = match url.host() {
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() == "http" && !near {
        tracing::warn!(%url, "the issuer's keys come over plain http: whoever is between can make tokens; use https");
    }
}

#[cfg(test)]
mod tests {
    use super::{Layer, Mode};

    fn tokens() -> Layer {
        Layer {
            jwt_secret: Some("x".repeat(32).into()),
            jwt_issuer: Some("i".into()),
            jwt_audience: Some("a".into()),
            ..Layer::default()
        }
    }

    fn refused(layer: Layer) -> String {
        layer
            .resolve()
            .err()
            .map(|mistake| mistake.0)
            .unwrap_or_default()
    }

    #[test]
    fn open_unless_something_is_set_up() {
        let open = |layer: Layer| layer.resolve().map(|auth| auth.is_open()).map_err(|m| m.0);
        assert_eq!(open(Layer::default()), Ok(true));
        let keys = Layer {
            mode: Some(Mode::Keys),
            ..Layer::default()
        };
        assert_eq!(open(keys), Ok(false));
        assert_eq!(open(tokens()), Ok(false));
    }

    #[test]
    fn contradictions_are_told() {
        let open = Layer {
            mode: Some(Mode::Open),
            ..tokens()
        };
        assert!(refused(open).contains("leave out one"));
        let no_issuer = Layer {
            jwt_issuer: None,
            ..tokens()
        };
        assert!(refused(no_issuer).contains("jwt_issuer"));
        let short = Layer {
            jwt_secret: Some("hunter2".to_owned().into()),
            ..tokens()
        };
        let words = refused(short);
        assert!(
            words.contains("32 bytes") && !words.contains("hunter2"),
            "{words}"
        );
        let alone = Layer {
            jwt_issuer: Some("i".into()),
            ..Layer::default()
        };
        assert!(refused(alone).contains("jwks_url"));
        let rate = Layer {
            rate_limit: Some(5),
            ..Layer::default()
        };
        assert!(refused(rate).contains("--auth keys"));
    }
}
