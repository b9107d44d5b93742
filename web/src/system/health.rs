//! Whether the service lives, and whether it should get requests.

use chrono::TimeDelta;
use salvo::http::StatusCode;
use salvo::oapi::{
    Components, Content, EndpointOutRegister, Operation, Response as Documented, ToSchema, endpoint,
};
use salvo::writing::Json;
use salvo::{Depot, Request, Response, Writer, async_trait};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::migrate::Standing;
use stepwell_queue::worker::Skewed;
use stepwell_queue::{Error, Store, clock, descriptors};

use crate::App;
use crate::answer::{Found, Result};
use crate::example::Example;
use crate::limits::HEALTH_TIMEOUT;
use crate::query::{Nothing, Query};

/// Whether the service works.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Health"))]
pub struct Health {
    /// `healthy` or `unhealthy`.
    status: &'static str,
    /// `connected` or `disconnected`.
    database: &'static str,
    /// What is wrong, when something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Example for Health {
    fn example() -> Value {
        json!({"status": "healthy", "database": "connected"})
    }
}

/// Whether the process answers.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Live"))]
pub struct Live {
    /// Always `alive`.
    status: &'static str,
}

impl Example for Live {
    fn example() -> Value {
        json!({"status": "alive"})
    }
}

/// Whether requests should be sent here.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Ready"))]
pub struct Ready {
    /// `ready` or `not_ready`.
    status: &'static str,
    /// `connected` or `disconnected`.
    database: &'static str,
    /// `current`, `behind`, `ahead` or `unknown`: the schema against this binary.
    migrations: &'static str,
    /// Whether the server is on its way out.
    shutting_down: bool,
    /// What an operator should look into. It does not make the server less ready.
    warnings: Vec<String>,
}

impl Example for Ready {
    fn example() -> Value {
        json!({"status": "ready", "database": "connected", "migrations": "current",
            "shutting_down": false, "warnings": []})
    }
}

/// 200 when well, 503 when not, with the same shape.
#[derive(Debug)]
pub struct Checked<T> {
    well: bool,
    body: T,
}

#[async_trait]
impl<T: Serialize + Send> Writer for Checked<T> {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        res.render(Json(self.body));
        res.status_code(if self.well {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        });
    }
}

impl<T: ToSchema + Example> EndpointOutRegister for Checked<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let content = Content::new(T::to_schema(components));
        let well = Documented::new("Well.")
            .add_content("application/json", content.clone().example(T::example()));
        let unwell = Documented::new("Not well; the body says why.")
            .add_content("application/json", content);
        operation.responses.insert("200", well);
        operation.responses.insert("503", unwell);
    }
}

/// Says whether the service works, the database included.
#[endpoint(operation_id = "health")]
pub async fn health(app: App, _query: Query<Nothing>) -> Checked<Health> {
    let answer = tokio::time::timeout(HEALTH_TIMEOUT, app.store.ping()).await;
    let error = match answer {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!(
            "the database did not answer within {} s",
            HEALTH_TIMEOUT.as_secs()
        )),
    };
    let well = error.is_none();
    Checked {
        well,
        body: Health {
            status: if well { "healthy" } else { "unhealthy" },
            database: if well { "connected" } else { "disconnected" },
            error,
        },
    }
}

/// Says that the process answers. Touches nothing else, so that a database that is away does not
/// get healthy processes killed.
#[endpoint(operation_id = "live")]
pub async fn live(_query: Query<Nothing>) -> Result<Found<Live>> {
    Ok(Found(Live { status: "alive" }))
}

/// Says whether requests should be sent here: the database answers, its schema is the one of this
/// binary, and the server is not on its way out.
#[endpoint(operation_id = "ready")]
pub async fn ready(app: App, _query: Query<Nothing>) -> Checked<Ready> {
    let looked = tokio::time::timeout(HEALTH_TIMEOUT, look(&app.store)).await;
    let (database, migrations, warnings) = match looked {
        Ok(Ok((standing, warnings))) => {
            let migrations = match standing {
                Standing::Current => "current",
                Standing::Behind => "behind",
                Standing::Ahead => "ahead",
            };
            ("connected", migrations, warnings)
        }
        Ok(Err(_)) | Err(_) => ("disconnected", "unknown", Vec::new()),
    };
    let shutting_down = app.shutdown.is_cancelled();
    let well = migrations == "current" && !shutting_down;
    Checked {
        well,
        body: Ready {
            status: if well { "ready" } else { "not_ready" },
            database,
            migrations,
            shutting_down,
            warnings,
        },
    }
}

/// Asks how the schema stands, and what an operator should know of what is in it.
async fn look(store: &Store) -> std::result::Result<(Standing, Vec<String>), Error> {
    let standing = store.standing().await?;
    let mut warnings: Vec<String> = own_clock().into_iter().collect();
    warnings.extend(descriptors::warning());
    if standing == Standing::Current {
        let used = store.partition_alarm().await?.into_iter();
        warnings.extend(used.map(|table| {
            format!(
                "stepwell.{table} holds rows: a clock is wrong, or partitions were not made in time"
            )
        }));
        let skewed = store.skewed_workers().await?.into_iter();
        warnings.extend(skewed.map(|Skewed { name, skew_ms }| {
            let off = clock::described(TimeDelta::milliseconds(skew_ms.into()));
            format!("worker {name}: the clock of its host is {off}; nothing is timed by it")
        }));
    }
    Ok((standing, warnings))
}

/// Says so when the clock of this process's host is wrong.
fn own_clock() -> Option<String> {
    let skew = clock::skew().filter(|skew| skew.abs() > clock::SKEW_MAX)?;
    let off = clock::described(skew);
    Some(format!(
        "the clock of this host is {off}; nothing is timed by it"
    ))
}
