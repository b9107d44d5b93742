//! Which live workers have hosts with a wrong clock: nothing is timed by it, but logs and signatures are.

use crate::clock::SKEW_MAX;
use crate::{Error, Store};

/// Workers that are named, the worst first: they say what is wrong.
const TOLD: i64 = 5;

/// A live worker whose host's clock is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skewed {
    pub name: String,
    /// By so much it is ahead of the database's clock.
    pub skew_ms: i32,
}

impl Store {
    /// Returns live workers whose clock differs from the database's by more than [`SKEW_MAX`], at most five.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn skewed_workers(&self) -> Result<Vec<Skewed>, Error> {
        let found = sqlx::query_as!(
            Skewed,
            r#"select name as "name!", clock_skew_ms as "skew_ms!" from stepwell.v_workers
               where id in (select id from stepwell.worker where freed_at is null)
                 and status in ('alive', 'draining') and abs(clock_skew_ms::bigint) > $1
               order by abs(clock_skew_ms::bigint) desc, id limit $2"#,
            SKEW_MAX.num_milliseconds(),
            TOLD
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(found)
    }
}
