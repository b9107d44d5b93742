//! What patterns give, and what they take.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use cel::ExecutionError;

use super::{KEPT, KEPT_MAX, matches};
use crate::expression::{Allowance, Meter};
use crate::limits::{EXPRESSION_COST_MAX, PATTERN_BYTES_MAX};

/// What a pattern gives over a text, and the units that it took.
fn told(text: &str, pattern: &str) -> (Result<bool, String>, u64) {
    let meter = Meter::begin(Allowance::of(u64::MAX));
    let found = matches(text, pattern).map_err(|error| match error {
        ExecutionError::FunctionError { message, .. } => message,
        other => other.to_string(),
    });
    (found, meter.spent())
}

#[test]
fn patterns_match_anywhere_as_regex_does() {
    let latin = "ein Käse für 3 €";
    for (text, pattern, found) in [
        ("", "", true),
        ("abc", "b", true),
        ("abc", "^b", false),
        ("abc", "^a.c$", true),
        ("ABC", "(?i)b", true),
        (latin, r"\bKäse\b", true),
        (latin, r"\bKäs\b", false),
        (latin, r"\d €$", true),
        (latin, r"^\P{Greek}+$", true),
        (latin, r"f\pLr", true),
        ("a\nb", "a.b", false),
        ("a\nb", "(?s)a.b", true),
        ("a1b22", r"[0-9]{2}", true),
    ] {
        // By either way, and kept or not.
        for _ in 0..2 {
            assert_eq!(told(text, pattern).0, Ok(found), "{pattern} in {text}");
        }
    }
}

#[test]
fn what_is_no_pattern_or_too_large_is_refused() {
    for (pattern, why) in [
        ("(foo".to_owned(), "'(foo' not a valid regex"),
        (r"\pL".repeat(150), "when it is compiled"),
        ("a{1,1000}{1,1000}".to_owned(), "when it is compiled"),
        ("x".repeat(PATTERN_BYTES_MAX + 1), "at most"),
    ] {
        let (found, units) = told("a", &pattern);
        let problem = found.unwrap_err();
        assert!(problem.contains(why), "{problem}");
        assert!(units > 0);
    }
    // One of these takes seconds, and never begins.
    let folds = r"(?i:[\x{0}-\x{fffff}])".repeat(45);
    let meter = Meter::begin(Allowance::whole());
    assert!(matches("a", &folds).is_err());
    assert_eq!(meter.spent(), EXPRESSION_COST_MAX);
    drop(meter);
    // A thousand of these are too much for a step.
    assert!(told("a", &r"\pL".repeat(150)).1 * 1_000 > EXPRESSION_COST_MAX);
}

#[test]
fn a_pattern_is_compiled_once_and_few_are_kept() {
    let pattern = r"^[\w.+-]+@[\w-]+\.[\w.]+$";
    let first = told("ada@example.com", pattern);
    let second = told("ada@example.com", pattern);
    assert_eq!((first.0, second.0), (Ok(true), Ok(true)));
    assert!(second.1 < 5, "{}", second.1);
    assert!(first.1 > 1_000, "{}", first.1);
    for n in 0..2 * KEPT_MAX {
        assert_eq!(told("a", &n.to_string()).0, Ok(false));
    }
    assert_eq!(KEPT.with_borrow(Vec::len), KEPT_MAX);
    assert!(
        told("ada@example.com", pattern).1 > 1_000,
        "it was let go of"
    );
}

#[test]
fn following_all_states_is_paid_for() {
    // Its automaton would have a million states.
    let pattern = "(a|b)*a(a|b){20}c";
    let next = |seed: &mut u32, _| {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(if *seed >> 31 == 0 { 'a' } else { 'b' })
    };
    let text: String = (0..32_000).scan(1, next).collect();
    let (found, units) = told(&text, pattern);
    assert_eq!(found, Ok(false));
    let plain = told(&text, "abc").1;
    assert!(units > 20 * plain, "{units} and {plain}");
}
