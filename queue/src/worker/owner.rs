//! Is this worker still alive to the database, and in which epoch?

use std::sync::atomic::Ordering;

use super::Life;
use crate::Error;
use crate::link::Link;

/// What the database says of this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Alive,
    /// Dead, gone or unknown: fenced.
    Lost,
}

impl Life {
    /// Looks, and takes over the epoch. A worker that is lost is fenced with this.
    pub(crate) async fn look_up_owner(&self, link: &mut Link) -> Result<Owner, Error> {
        let row = sqlx::query!(
            r#"select epoch, status = 'draining' as "draining!" from stepwell.worker
               where id = $1 and status in ('alive', 'draining')"#,
            self.id
        )
        .fetch_optional(link.get().await?)
        .await
        .inspect_err(|_| link.forget())?;
        match row {
            Some(row) => {
                self.epoch.fetch_max(row.epoch, Ordering::AcqRel);
                if row.draining {
                    self.draining.cancel();
                }
                Ok(Owner::Alive)
            }
            None => {
                self.fenced.cancel();
                Ok(Owner::Lost)
            }
        }
    }
}
