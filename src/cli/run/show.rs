//! A run as a person reads it: a line for each thing that there is to say.

use serde_json::Value;

use super::text;
use crate::cli::print;

/// Prints a run.
pub(super) fn show(run: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        return print::json(run);
    }
    for (name, value) in lines(run) {
        print::line(format_args!("{name:<9} {value}"));
    }
    Ok(())
}

fn lines(run: &Value) -> Vec<(&'static str, String)> {
    let said = |name| Some(text(run, name).to_owned()).filter(|text| !text.is_empty());
    let there = |name| run.get(name).filter(|value| !value.is_null());
    let all = [
        ("run", said("id")),
        ("workflow", said("workflow_name")),
        ("status", said("status")),
        ("waits", there("blocked_on").map(waits)),
        ("created", said("created_at")),
        ("started", said("started_at")),
        ("finished", said("finished_at")),
        (
            "cancelled",
            said("cancelled_by").map(|by| format!("by {by}")),
        ),
        ("reason", said("cancel_reason")),
        ("error", there("error").map(Value::to_string)),
        ("output", there("output").map(Value::to_string)),
    ];
    let all = all.into_iter();
    all.filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// `for signal go, since …, until …`.
fn waits(blocked: &Value) -> String {
    let part = |word: &str, name| match text(blocked, name) {
        "" => String::new(),
        value => format!("{word}{value}"),
    };
    let (kind, detail) = (text(blocked, "kind"), part(" ", "detail"));
    let (since, until) = (part(", since ", "since"), part(", until ", "until"));
    format!("for {kind}{detail}{since}{until}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lines;

    #[test]
    fn a_run_is_told_with_what_it_waits_for_and_when() {
        let run = json!({"id": "1", "workflow_name": "w", "status": "waiting", "error": null,
            "blocked_on": {"kind": "signal", "detail": "go", "since": "a", "until": null},
            "created_at": "b", "started_at": "c", "finished_at": null, "cancel_reason": null});
        let expected = [
            ("run", "1"),
            ("workflow", "w"),
            ("status", "waiting"),
            ("waits", "for signal go, since a"),
            ("created", "b"),
            ("started", "c"),
        ];
        assert_eq!(
            lines(&run),
            expected.map(|(name, value)| (name, value.to_owned()))
        );
        let over =
            json!({"id": "1", "status": "cancelled", "cancelled_by": "x", "cancel_reason": "r"});
        assert_eq!(
            lines(&over)[2..],
            [("cancelled", "by x".to_owned()), ("reason", "r".to_owned())]
        );
    }
}
