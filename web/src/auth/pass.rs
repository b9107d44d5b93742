//! A credential while a stream is open. What let it in when it began may be revoked or expire long
//! before its end, and then the stream is to end with it.

use std::time::Duration;

use salvo::oapi::{Components, Operation};
use salvo::{Depot, Request};
use secrecy::{ExposeSecret as _, SecretString};
use stepwell_queue::Store;

use crate::App;
use crate::extract::{Take, extractor};
use crate::problem::Problem;

/// What a stream holds of the credential that opened it.
pub struct Pass {
    store: Store,
    held: Held,
}

pub(super) enum Held {
    /// Nobody is asked.
    Nothing,
    Key(SecretString),
    /// A token, good for so long: nobody takes one back.
    Token(Duration),
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pass").finish_non_exhaustive()
    }
}

impl Pass {
    pub(super) const fn new(store: Store, held: Held) -> Self {
        Self { store, held }
    }

    /// Returns when the credential is no longer good.
    pub async fn ended(self) {
        match self.held {
            Held::Nothing => std::future::pending().await,
            Held::Key(text) => self.store.key_ended(text.expose_secret()).await,
            Held::Token(left) => tokio::time::sleep(left).await,
        }
    }
}

impl Take for Pass {
    async fn take(req: &mut Request, depot: &mut Depot, arg: &str) -> Result<Self, Problem> {
        let app = App::take(req, depot, arg).await?;
        Ok(app.gate.pass(req.headers()).await)
    }

    fn describe(_components: &mut Components, _operation: &mut Operation, _arg: &str) {}
}
extractor!(Pass);
