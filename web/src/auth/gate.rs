//! From headers to a principal.

use crate::clock;
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use stepwell_queue::Store;
use stepwell_queue::key::{Standing, is_key};
use tokio::sync::Semaphore;

use super::pass::{Held, Pass};
use super::presented::{self, Presented};
use super::rate::{Failures, Requests};
use super::token::{Verified, Verifier};
use super::{AuthOptions, Principal, Refusal, Role};
use crate::admission::{Party, Pool};

/// Look-ups of keys at once, over the pool that serves requests: whoever tries keys without end takes
/// no more than these connections from the others.
const LOOKUPS_MAX: usize = 4;

/// Lets requests in, or says why not. One for each server, shared by REST and gRPC.
pub struct Gate {
    store: Store,
    asked: Option<Asked>,
}

/// What there is to tell strangers from others.
struct Asked {
    tokens: Option<Verifier>,
    failures: Failures,
    requests: Option<Requests>,
    lookups: Semaphore,
    /// Those that wait for a look-up, of keys and of users.
    unsure: Arc<Pool>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate")
            .field("open", &self.asked.is_none())
            .finish_non_exhaustive()
    }
}

impl Gate {
    #[must_use]
    pub(crate) fn new(store: Store, options: AuthOptions, unsure: Arc<Pool>) -> Self {
        let asked = match options {
            AuthOptions::Open => None,
            AuthOptions::Required(required) => Some(Asked {
                tokens: required.jwt.map(Verifier::new),
                failures: Failures::new(),
                requests: required.rate_per_minute.map(Requests::new),
                lookups: Semaphore::new(LOOKUPS_MAX),
                unsure,
            }),
        };
        Self { store, asked }
    }

    /// Says whether everybody is let in.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.asked.is_none()
    }

    /// Finds out who sends these headers (over gRPC: this metadata), and counts the request against
    /// the principal's budget. A failed attempt counts against the address it came `from`; a good
    /// credential is never refused because of others behind its address.
    ///
    /// # Errors
    /// Every [`Refusal`]. What the principal may do is another question: [`Principal::allow`].
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        from: Option<IpAddr>,
    ) -> Result<Principal, Refusal> {
        let Some(asked) = &self.asked else {
            return Ok(Principal::anonymous());
        };
        let found = match presented::read(headers) {
            Ok(Presented::Key(text)) => self.by_key(asked, &text, from).await,
            Ok(Presented::Token(text)) => by_token(asked, &text).await.map(|token| {
                let name = format!("user:{}", token.subject);
                (name.into(), token.role)
            }),
            Err(refusal) => Err(refusal),
        };
        match found {
            Ok((name, role)) => {
                let budget = match &asked.requests {
                    None => None,
                    Some(requests) => match requests.count(&name).await {
                        Ok(budget) => Some(budget),
                        Err(budget) => return Err(Refusal::TooManyRequests { budget }),
                    },
                };
                Ok(Principal { name, role, budget })
            }
            Err(wrong @ Refusal::Wrong(_)) => {
                self.failed(from).await?;
                Err(wrong)
            }
            Err(other) => Err(other),
        }
    }

    /// Takes what a stream is to rely on of the credential that opened it, after it was let in.
    pub async fn pass(&self, headers: &HeaderMap) -> Pass {
        let held = match (&self.asked, presented::read(headers)) {
            (None, _) => Held::Nothing,
            (Some(_), Ok(Presented::Key(text))) => Held::Key(text),
            (Some(asked), Ok(Presented::Token(text))) => {
                let known = by_token(asked, &text).await;
                Held::Token(known.map_or(Duration::ZERO, |token| token.left))
            }
            (Some(_), Err(_)) => Held::Token(Duration::ZERO),
        };
        Pass::new(self.store.clone(), held)
    }

    /// Counts a failed attempt, for endpoints that check a token of their own too.
    ///
    /// # Errors
    /// [`Refusal::TooManyFailures`].
    pub async fn failed(&self, from: Option<IpAddr>) -> Result<(), Refusal> {
        if let (Some(asked), Some(from)) = (&self.asked, from)
            && let Err(retry_after) = asked.failures.count(from).await
        {
            return Err(Refusal::TooManyFailures { retry_after });
        }
        Ok(())
    }

    async fn by_key(
        &self,
        asked: &Asked,
        text: &SecretString,
        from: Option<IpAddr>,
    ) -> Result<(Arc<str>, Role), Refusal> {
        let text = text.expose_secret();
        // What has not the form of a key needs no look-up.
        if !is_key(text) {
            return Err(Refusal::Wrong("The API key is not known.".into()));
        }
        let key = match self.store.remembered_key(text).await {
            Some(key) => Some(key),
            None => {
                // However many keys are tried, and from however many connections.
                let place = asked.unsure.take(&Party::at(from), 1);
                let _place = place.ok_or(Refusal::Busy)?;
                let _slot = asked.lookups.acquire().await;
                self.store.key_of(text).await?
            }
        };
        let Some(key) = key else {
            return Err(Refusal::Wrong("The API key is not known.".into()));
        };
        match key.standing(clock::now()) {
            Standing::Good => Ok((format!("key:{}", key.name).into(), key.role)),
            Standing::Expired => Err(Refusal::Wrong("The API key has expired.".into())),
            Standing::Revoked => Err(Refusal::Wrong("The API key is revoked.".into())),
        }
    }
}

async fn by_token(asked: &Asked, text: &SecretString) -> Result<Verified, Refusal> {
    let Some(tokens) = &asked.tokens else {
        return Err(Refusal::Wrong(
            "The credentials are no API key, and tokens are not accepted here.".into(),
        ));
    };
    tokens.verify(text.expose_secret()).await
}
