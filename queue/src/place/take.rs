//! A driver asks whether its run may begin.

use stepwell_workflow::plan::OnLimit;
use uuid::Uuid;

use super::{admit, lock_shortly};
use crate::inbox::Word;
use crate::text::clean;
use crate::{Actor, Error, Store, transaction};

/// Whether a run may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Held,
    /// It is told when it has one.
    Waits,
}

impl Store {
    /// Asks for the place of a run, and makes room for it where that is what the workflow wants.
    /// Asking again does no harm.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn take_place(
        &self,
        run_id: Uuid,
        workflow_id: Uuid,
        key: &str,
        most: u32,
        on_limit: OnLimit,
    ) -> Result<Place, Error> {
        let key = clean(key);
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let turn = self.desk.asking.acquire().await;
        let mut connection = self.pool.acquire().await?;
        let mut transaction = transaction::begin(&mut connection).await?;
        lock_shortly(&mut transaction, workflow_id, &key).await?;
        sqlx::query!(
            "insert into stepwell.place (run_id, workflow_id, key, most) values ($1, $2, $3, $4)
             on conflict do nothing",
            run_id,
            workflow_id,
            &*key,
            most,
        )
        .execute(&mut *transaction)
        .await?;
        let admitted = admit::next(&mut transaction, workflow_id, &key).await?;
        let held = sqlx::query_scalar!("select held from stepwell.place where run_id = $1", run_id)
            .fetch_one(&mut *transaction)
            .await?;
        let in_the_way = match on_limit {
            OnLimit::CancelRunning => {
                sqlx::query_scalar!(
                    "select run_id from (
                         select run_id, turn from stepwell.place
                         where workflow_id = $1 and key = $2
                         order by turn desc offset $3) as older
                     where turn < (select turn from stepwell.place where run_id = $4)
                     order by turn",
                    workflow_id,
                    &*key,
                    i64::from(most),
                    run_id,
                )
                .fetch_all(&mut *transaction)
                .await?
            }
            OnLimit::Queue | OnLimit::Reject => Vec::new(),
        };
        transaction.commit().await?;
        for other in admitted.into_iter().filter(|&other| other != run_id) {
            self.wake(&mut connection, other).await?;
        }
        drop(connection);
        drop(turn);
        for other in in_the_way {
            let reason = format!("the run {run_id} has the same concurrency key and came later");
            let word = Word::Cancel {
                reason: Some(reason),
            };
            let actor = Actor {
                name: format!("run:{run_id}"),
                ..Actor::default()
            };
            self.send(other, word, actor).await?;
        }
        Ok(if held { Place::Held } else { Place::Waits })
    }
}
