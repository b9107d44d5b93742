//! A page of records goes out: events and deliveries are written with the cursor, or nothing is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::event::{self, End, Listener, OUTPUT_BYTES_MAX, Run};
use super::leader;
use crate::delivery::{Event, interval};
use crate::feed::{Cursor, Fed, FeedRecord};
use crate::text::clean;
use crate::{Error, Store, transaction};

/// Where deliveries of one event go.
struct Outgoing {
    event: Event,
    subscriptions: Vec<Uuid>,
    callback: Option<String>,
}

impl Store {
    /// Writes what a page comes to, and moves the cursor from `from` to `to`; returns the number of
    /// deliveries, `None` when another process was faster.
    pub(super) async fn dispatch(
        &self,
        me: Uuid,
        from: Option<&str>,
        records: &[Fed],
        to: &Cursor,
    ) -> Result<Option<usize>, Error> {
        let outgoing = self.outgoing(records).await?;
        let mut transaction = transaction::begin_in(&self.pool).await?;
        if !leader::advance(&mut transaction, me, from, &to.to_string()).await? {
            return Ok(None);
        }
        let mut deliveries = 0;
        if !outgoing.is_empty() {
            write_events(&mut transaction, &outgoing).await?;
            deliveries = write_deliveries(&mut transaction, &outgoing).await?;
        }
        transaction.commit().await?;
        if let Some(first) = outgoing.first() {
            self.announce_deliveries(first.event.id);
        }
        Ok(Some(deliveries))
    }

    /// Whether any of these records is one that somebody hears of.
    async fn outgoing(&self, records: &[Fed]) -> Result<Vec<Outgoing>, Error> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let listeners = self.listeners().await?;
        let callbacks = self.callbacks(records).await?;
        let mut heard: Vec<(Arc<FeedRecord>, String, Vec<Uuid>)> = Vec::new();
        for Fed { record, .. } in records {
            let Some(kind) = event::kind(record) else {
                continue;
            };
            let hears = listeners
                .iter()
                .filter(|listener| listener.hears(&kind, record));
            let hears: Vec<_> = hears.map(|listener| listener.id).collect();
            let calls_back = event::is_end(record) && callbacks.contains_key(&record.entity_id);
            if calls_back || !hears.is_empty() {
                heard.push((Arc::clone(record), kind, hears));
            }
        }
        let runs = self
            .runs_of(heard.iter().map(|(record, ..)| record.as_ref()))
            .await?;
        heard
            .into_iter()
            .map(|(record, kind, subscriptions)| {
                let callback = callbacks
                    .get(&record.entity_id)
                    .filter(|_| event::is_end(&record));
                Ok(Outgoing {
                    event: event::event(kind, &record, &runs)?,
                    subscriptions,
                    callback: callback.cloned(),
                })
            })
            .collect()
    }

    async fn listeners(&self) -> Result<Vec<Listener>, Error> {
        Ok(sqlx::query_as!(
            Listener,
            "select id, event_types, workflow, created_at as since
             from stepwell.subscription where status = 'active' order by id"
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Returns where the ends among these records are told.
    async fn callbacks(&self, records: &[Fed]) -> Result<HashMap<Uuid, String>, Error> {
        let ends = records
            .iter()
            .map(|fed| &fed.record)
            .filter(|r| event::is_end(r));
        let ends: Vec<_> = ends.map(|record| record.entity_id).collect();
        if ends.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = sqlx::query!(
            "select run_id, url from stepwell.callback where run_id = any ($1)",
            &ends
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.run_id, row.url)).collect())
    }

    /// Reads what events tell of their runs, in the order of the records; of those that end, how. A run
    /// that is gone is missing.
    async fn runs_of(
        &self,
        records: impl Iterator<Item = &FeedRecord>,
    ) -> Result<HashMap<Uuid, Run>, Error> {
        let records: Vec<_> = records.filter(|record| record.is_of_run()).collect();
        if records.is_empty() {
            return Ok(HashMap::new());
        }
        let runs: Vec<_> = records.iter().map(|record| record.entity_id).collect();
        let sequences: Vec<_> = records.iter().map(|record| record.sequence).collect();
        let ends: Vec<_> = records.iter().map(|record| event::is_end(record)).collect();
        let rows = sqlx::query_file!(
            "queries/feed/told_runs.sql",
            &runs,
            &sequences,
            &ends,
            OUTPUT_BYTES_MAX,
        )
        .fetch_all(&self.lookups)
        .await?;
        let told = rows.into_iter().filter_map(|row| {
            let nth = usize::try_from(row.nth - 1).ok()?;
            let record = records.get(nth)?;
            let end = event::is_end(record).then(|| End {
                started_at: row.started_at,
                finished_at: row.finished_at,
                output: row.output.map(|json| json.0),
                output_omitted: row.omitted,
                error: record.error(),
            });
            let run = Run {
                version: row.version,
                generation: row.generation,
                labels: row.labels.map(|json| json.0).unwrap_or_default(),
                parent_id: row.parent_id,
                created_at: row.created_at,
                traceparent: row.traceparent,
                end,
            };
            Some((record.id, run))
        });
        Ok(told.collect())
    }
}

async fn write_events(connection: &mut PgConnection, outgoing: &[Outgoing]) -> Result<(), Error> {
    let events = || outgoing.iter().map(|one| &one.event);
    let id: Vec<_> = events().map(|event| event.id).collect();
    let kind: Vec<_> = events()
        .map(|event| clean(&event.kind).into_owned())
        .collect();
    let source: Vec<_> = events().map(|event| event.source.clone()).collect();
    let subject: Vec<_> = events().map(|event| event.subject.clone()).collect();
    let at: Vec<_> = events().map(|event| event.at).collect();
    let data: Vec<_> = events().map(|event| event.data.get().to_owned()).collect();
    let traceparent: Vec<_> = events().map(|event| event.traceparent.clone()).collect();
    sqlx::query!(
        "insert into stepwell.event (id, type, source, subject, at, data, traceparent)
         select unnest($1::uuid[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]),
                unnest($5::timestamptz[]), unnest($6::text[])::json, unnest($7::text[])
         on conflict (id) do nothing",
        &id,
        &kind,
        &source,
        &subject as _,
        &at,
        &data,
        &traceparent as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_deliveries(
    connection: &mut PgConnection,
    outgoing: &[Outgoing],
) -> Result<usize, Error> {
    let (mut id, mut subscription, mut event) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lane, mut url) = (Vec::new(), Vec::new());
    let mut push = |receiver: Option<Uuid>, at: Uuid, of: Uuid, to: Option<&str>| {
        id.push(crate::clock::id());
        subscription.push(receiver);
        event.push(of);
        lane.push(at);
        url.push(to.map(str::to_owned));
    };
    for one in outgoing {
        for receiver in &one.subscriptions {
            push(Some(*receiver), *receiver, one.event.id, None);
        }
        if let Some(to) = &one.callback {
            push(None, lane_of(to), one.event.id, Some(to));
        }
    }
    // A subscription may have been deleted since it was read.
    let written = sqlx::query!(
        "insert into stepwell.delivery (id, subscription_id, event_id, lane, callback_url, expires_at, next_at)
         select d.id, d.subscription_id, d.event_id, d.lane, d.url, now() + $6, now()
         from (select unnest($1::uuid[]) as id, unnest($2::uuid[]) as subscription_id,
                      unnest($3::uuid[]) as event_id, unnest($4::uuid[]) as lane, unnest($5::text[]) as url) d
         where d.subscription_id is null
            or exists (select from stepwell.subscription s where s.id = d.subscription_id for key share)
         on conflict (event_id, lane) do nothing",
        &id,
        &subscription as _,
        &event,
        &lane,
        &url as _,
        interval(),
    )
    .execute(connection)
    .await?;
    Ok(usize::try_from(written.rows_affected()).unwrap_or(usize::MAX))
}

/// Returns the lane of callbacks to the host of a URL.
fn lane_of(url: &str) -> Uuid {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let digest = Sha256::digest(format!("{scheme}://{host}").to_ascii_lowercase());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::lane_of;

    #[test]
    fn callbacks_to_one_host_are_one_lane() {
        let lane = lane_of("https://a.example:8443/x?y");
        assert_eq!(lane, lane_of("https://A.example:8443"));
        assert_ne!(lane, lane_of("https://a.example/x"));
        assert_ne!(lane, lane_of("http://a.example:8443/x"));
    }
}
