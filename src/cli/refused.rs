//! A refusal of the server: its problem as it came, for machines, and in words, for people.

use std::fmt;

use reqwest::StatusCode;
use serde_json::{Value, json};
use stepwell_web::problem::Kind;

/// What the server answers instead of what was asked for.
#[derive(Debug)]
pub(super) struct Refused {
    problem: Value,
    words: String,
}

impl Refused {
    /// Reads an RFC 9457 problem; anything else becomes one.
    pub(super) fn read(status: StatusCode, text: &str) -> Self {
        let problem = match serde_json::from_str::<Value>(text) {
            Ok(problem) if problem.is_object() => problem,
            _ => json!({
                "type": "about:blank",
                "title": status.canonical_reason().unwrap_or("Unknown"),
                "status": status.as_u16(),
                "detail": format!("the server answered {status}"),
            }),
        };
        Self {
            words: words(status, &problem),
            problem,
        }
    }

    /// Whether it is an argument of the command that only the server can tell to be wrong: all else
    /// that it refuses came from a file, or is a matter of what there is.
    pub(super) fn is_usage(&self) -> bool {
        self.problem.get("type").and_then(Value::as_str) == Some(Kind::InvalidParameter.uri())
    }

    pub(super) const fn problem(&self) -> &Value {
        &self.problem
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Refused {}

/// Says what the problem says: the finding, if it is one alone, else each on a line.
fn words(status: StatusCode, problem: &Value) -> String {
    let text = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.map(str::to_owned)
    };
    let detail = text(problem, "detail")
        .or_else(|| text(problem, "title"))
        .unwrap_or_else(|| format!("the server answered {status}"));
    let findings = problem.get("errors").and_then(Value::as_array);
    let findings: Vec<String> = findings
        .into_iter()
        .flatten()
        .filter_map(|finding| {
            let said = text(finding, "detail")?;
            let place = text(finding, "pointer").or_else(|| text(finding, "parameter"));
            // The empty pointer is the whole body.
            let place = place.filter(|place| !place.is_empty());
            Some(place.map_or_else(|| said.clone(), |place| format!("{place}: {said}")))
        })
        .collect();
    let told = |finding: &Value| text(finding, "detail").is_some_and(|said| detail.contains(&said));
    let alone = problem.pointer("/errors/0").is_some_and(told);
    if findings.is_empty() || (findings.len() == 1 && alone) {
        return detail;
    }
    // The list is right below.
    let detail = detail
        .strip_suffix("; errors lists them.")
        .map_or(detail.clone(), |head| format!("{head}:"));
    format!("{detail}\n  {}", findings.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::{Refused, StatusCode};

    fn words(text: &str) -> String {
        Refused::read(StatusCode::UNPROCESSABLE_ENTITY, text).to_string()
    }

    #[test]
    fn a_problem_is_told_with_every_finding() {
        let text = r#"{"title": "Invalid", "detail": "2 things are wrong; errors lists them.",
            "errors": [{"pointer": "/steps/0", "detail": "a cycle"}, {"pointer": "", "detail": "b"}]}"#;
        assert_eq!(words(text), "2 things are wrong:\n  /steps/0: a cycle\n  b");
    }

    #[test]
    fn a_single_finding_is_told_once() {
        let text = r#"{"detail": "/url must be http.",
            "errors": [{"pointer": "/url", "detail": "must be http"}]}"#;
        assert_eq!(words(text), "/url must be http.");
        let text = r#"{"detail": "There is no workflow \"w\".",
            "errors": [{"pointer": "/workflow", "detail": "does not exist"}]}"#;
        let both = "There is no workflow \"w\".\n  /workflow: does not exist";
        assert_eq!(words(text), both);
    }

    #[test]
    fn what_is_no_problem_becomes_one() {
        let refused = Refused::read(StatusCode::BAD_GATEWAY, "<html>");
        assert!(refused.to_string().contains("502"));
        assert_eq!(refused.problem()["status"], 502);
        assert!(!refused.is_usage());
        let text = r#"{"type": "urn:stepwell:problem:invalid-parameter"}"#;
        assert!(Refused::read(StatusCode::BAD_REQUEST, text).is_usage());
    }
}
