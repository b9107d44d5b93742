//! Whether the data is as it must be: a line for each check, with what to do about a breach.

use stepwell::queue::Store;
use stepwell::queue::invariants::{Found, Reach};

use super::finding::Finding;
use crate::cli::parts;

/// Adds what there is to say of the data. The schema must be that of this program.
pub(super) async fn examine(store: &Store, findings: &mut Vec<Finding>) {
    match store.look(Reach::All).await {
        Ok(found) => findings.extend(found.iter().map(told)),
        Err(error) => findings.push(Finding::fail(
            "invariants",
            parts::chain(&error),
            "let the user of DATABASE_URL read the schema stepwell, and look again",
        )),
    }
}

fn told(found: &Found) -> Finding {
    let check = found.check;
    if found.breaches > 0 {
        let more = if found.complete { "" } else { " or more" };
        let detail = format!(
            "not so {}{more} times: {}: {}",
            found.breaches,
            check.means,
            found.examples.join("; ")
        );
        return Finding::fail(check.name, detail, check.remedy);
    }
    if !found.complete {
        return Finding::warn(
            check.name,
            format!("not finished: {}", check.means),
            "the database took too long: look again when it has less to do",
        );
    }
    Finding::ok(check.name, check.means)
}

#[cfg(test)]
mod tests {
    use stepwell::queue::invariants::{Check, Found};

    use super::told;
    use crate::cli::doctor::finding::State;

    #[test]
    fn a_breach_is_a_failure_and_no_end_a_warning() {
        let mut found = Found {
            check: Check {
                name: "trail_gap",
                means: "records have no gaps",
                remedy: "look at the last backup",
            },
            breaches: 0,
            examples: Vec::new(),
            complete: true,
        };
        assert_eq!(told(&found).state, State::Ok);
        found.complete = false;
        assert_eq!(told(&found).state, State::Warn);
        found.breaches = 3;
        found.examples = vec!["run 1".into(), "run 2".into()];
        let failed = told(&found);
        assert_eq!(failed.state, State::Fail);
        assert_eq!(
            failed.detail,
            "not so 3 or more times: records have no gaps: run 1; run 2"
        );
        assert_eq!(failed.remedy.as_deref(), Some("look at the last backup"));
    }
}
