//! GET `/api/v1/reports/summary`.

use std::collections::BTreeMap;

use salvo::Writer;
use salvo::oapi::{BasicType, KnownFormat, Object, Parameter, ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::record::SummaryFilter;
use stepwell_workflow::Time;

use super::limits::STATUSES;
use crate::App;
use crate::answer::{Found, Result};
use crate::example::Example;
use crate::openapi::{repeatable, text_of};
use crate::page::parameter;
use crate::query::{Parameters, Query, Reader};

/// Which records are counted.
#[derive(Debug)]
pub struct Filter {
    statuses: Vec<&'static str>,
    category: Option<String>,
    date_from: Option<Time>,
    date_to: Option<Time>,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            statuses: reader.some_of("status", STATUSES),
            category: reader.text("category"),
            date_from: reader.day_or_time("date_from"),
            date_to: reader.day_or_time("date_to"),
        }
    }

    fn describe() -> Vec<Parameter> {
        let word = || Object::with_type(BasicType::String);
        vec![
            repeatable(
                "status",
                "Only those; repeated: any of them.",
                word().enum_values(STATUSES.iter().copied()),
                "processed",
            ),
            parameter("category", "Of this category.", word(), "invoice".into()),
            parameter(
                "date_from",
                "Created on this day (UTC) or later; a time is taken as well.",
                text_of(KnownFormat::Date),
                "2026-03-01".into(),
            ),
            parameter(
                "date_to",
                "Created before this day (UTC); a time is taken as well.",
                text_of(KnownFormat::Date),
                "2026-04-01".into(),
            ),
        ]
    }
}

/// Counts of records.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Summary"))]
pub struct Summary {
    total: i64,
    /// Every status, also where there are none.
    by_status: BTreeMap<String, i64>,
    /// The 100 most frequent categories.
    by_category: BTreeMap<String, i64>,
    /// Records of all other categories.
    other_categories: i64,
}

impl Example for Summary {
    fn example() -> Value {
        json!({
            "total": 120, "by_status": {"failed": 2, "pending": 10, "processed": 107, "processing": 1},
            "by_category": {"invoice": 90, "order": 30}, "other_categories": 0,
        })
    }
}

/// Counts records by status and by category.
#[endpoint(operation_id = "get_summary")]
pub async fn get_summary(app: App, query: Query<Filter>) -> Result<Found<Summary>> {
    let Query(asked) = query;
    let filter = SummaryFilter {
        statuses: asked
            .statuses
            .iter()
            .map(|word| (*word).to_owned())
            .collect(),
        category: asked.category,
        from: asked.date_from,
        to: asked.date_to,
    };
    let counted = app.store.record_summary(&filter).await?;
    let mut by_status: BTreeMap<String, i64> = STATUSES
        .iter()
        .map(|word| ((*word).to_owned(), 0))
        .collect();
    by_status.extend(counted.by_status);
    Ok(Found(Summary {
        total: counted.total,
        by_status,
        by_category: counted.by_category.into_iter().collect(),
        other_categories: counted.other_categories,
    }))
}
