//! Results become messages, in the statement that deletes their rows.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Place, Report, place};
use crate::Store;
use crate::listen::Hint;

/// What came of reporting.
#[derive(Debug)]
pub(crate) struct Told {
    /// Whether the worker is alive to the database, in the epoch it gave.
    pub(crate) owned: bool,
    /// Queues with runs that are due now.
    due: Vec<String>,
    /// Runs that a driver holds.
    leased: Vec<Uuid>,
}

impl Told {
    /// Tells whoever drives these runs.
    pub(crate) fn announce(self, store: &Store) {
        for queue in self.due {
            store.announce(Hint::Work { queue });
        }
        if !self.leased.is_empty() {
            store.announce(Hint::Inbox {
                run_ids: self.leased,
            });
        }
    }
}

/// Reports for a worker. Without an epoch somebody else speaks for it.
pub(crate) async fn report(
    connection: &mut PgConnection,
    worker_id: Uuid,
    epoch: Option<i32>,
    reports: &[(Place, Report)],
) -> Result<Told, sqlx::Error> {
    let places = || reports.iter().map(|(place, _)| place);
    let payloads: Vec<String> = reports.iter().map(|(_, report)| report.to_json()).collect();
    let row = sqlx::query_file!(
        "queries/detached/report.sql",
        worker_id,
        epoch,
        &places().map(|p| p.run_id).collect::<Vec<_>>(),
        &places().map(|p| place(p.key).0).collect::<Vec<_>>(),
        &places().map(|p| place(p.key).1).collect::<Vec<_>>(),
        &places().map(|p| p.generation).collect::<Vec<_>>(),
        &places()
            .map(|p| i16::try_from(p.attempt).unwrap_or(i16::MAX))
            .collect::<Vec<_>>(),
        &payloads,
    )
    .fetch_one(connection)
    .await?;
    Ok(Told {
        owned: row.owned,
        due: row.due,
        leased: row.leased,
    })
}
