//! Decisions by rules: for one person, and for five hundred at once.

use std::time::Instant;

use serde_json::{Value, json};

use super::{text, watch};
use crate::api::Client;
use crate::show::Show;

const LIMIT: u64 = 50_000;
const PEOPLE: u64 = 500;

/// Decides three cases.
pub(crate) async fn three_ways(api: &Client, show: &mut Show) -> anyhow::Result<()> {
    show.scene("Eligibility, decided by rules");
    for income in [30_000, 52_000, 80_000] {
        let begun = Instant::now();
        let input = json!({"income": income, "limit": LIMIT});
        let id = api.start("eligibility", input).await?;
        let run = watch::silently(api, &id).await?;
        let (value, reason) = (
            text(&run["output"], "value"),
            text(&run["output"], "reason"),
        );
        show.expect_in(
            value == decision(income) && !reason.is_empty(),
            &format!("{value}: {reason}"),
            begun.elapsed(),
            &run,
        );
    }
    Ok(())
}

/// Decides for many, and counts.
pub(crate) async fn impact(api: &Client, show: &mut Show) -> anyhow::Result<()> {
    show.scene("Impact: the same decision for 500 people in one run");
    let people: Vec<Value> = (0..PEOPLE)
        .map(|number| json!({"name": format!("person {number}"), "income": income(number)}))
        .collect();
    let begun = Instant::now();
    let input = json!({"limit": LIMIT, "people": people});
    let id = api.start("impact", input).await?;
    let run = watch::silently(api, &id).await?;
    let took = begun.elapsed();
    let count = |value: &str| {
        let is_one = |number: &u64| decision(income(*number)) == value;
        (0..PEOPLE).filter(is_one).count()
    };
    let expected = json!({
        "total": PEOPLE,
        "eligible": count("ELIGIBLE"),
        "needs_review": count("NEEDS_REVIEW"),
        "not_eligible": count("NOT_ELIGIBLE"),
    });
    for field in ["eligible", "needs_review", "not_eligible"] {
        show.line(&format!("{field:<13} {:>4}", run["output"][field]));
    }
    show.expect_in(
        run["output"] == expected,
        "500 decisions, counted as an independent count has them",
        took,
        format!(
            "{} in place of {expected}, error {}",
            run["output"], run["error"]
        ),
    );
    Ok(())
}

/// Incomes that are spread over twice the limit, the same each time.
const fn income(number: u64) -> u64 {
    (number * 7_919 % 1_000) * 100
}

/// The rules once more, in other words.
const fn decision(income: u64) -> &'static str {
    if income.abs_diff(LIMIT) * 10 <= LIMIT {
        "NEEDS_REVIEW"
    } else if income < LIMIT {
        "ELIGIBLE"
    } else {
        "NOT_ELIGIBLE"
    }
}
