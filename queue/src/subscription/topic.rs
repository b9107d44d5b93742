//! Which events a subscription hears of. Pure.

/// Characters of an event's type, and of a pattern.
const TYPE_CHARS_MAX: usize = 255;

/// Whether an event of this type is one that the pattern means: the same word, or below what stands
/// before `.*`; `*` is every event.
#[must_use]
pub fn matches(pattern: &str, event_type: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(before) => event_type.starts_with(before),
        None => pattern == event_type,
    }
}

/// Says what is wrong with a pattern.
#[must_use]
pub fn pattern_fault(pattern: &str) -> Option<String> {
    let words = pattern.strip_suffix(".*").unwrap_or(pattern);
    let is_word = |word: &str| {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"_-/:".contains(&c);
        !word.is_empty() && word.bytes().all(plain)
    };
    let well = pattern == "*" || words.split('.').all(is_word);
    (!well || pattern.len() > TYPE_CHARS_MAX).then(|| {
        format!(
            "must be the type of an event, such as stepwell.run.completed, or end in .* for all below \
             it, or be * for all; up to {TYPE_CHARS_MAX} characters"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_itself_or_all_below() {
        for (pattern, event_type, meant) in [
            ("stepwell.run.completed", "stepwell.run.completed", true),
            ("stepwell.run.completed", "stepwell.run.failed", false),
            ("stepwell.run.*", "stepwell.run.failed", true),
            ("stepwell.run.*", "stepwell.runner.failed", false),
            ("stepwell.run.*", "stepwell.run", false),
            ("stepwell.*", "stepwell.step.started", true),
            ("*", "com.example.paid", true),
        ] {
            assert_eq!(
                matches(pattern, event_type),
                meant,
                "{pattern} {event_type}"
            );
        }
    }

    #[test]
    fn patterns_are_words_with_dots() {
        for well in [
            "*",
            "a",
            "a.*",
            "stepwell.run.*",
            "com.example:order/paid.v1",
        ] {
            assert_eq!(pattern_fault(well), None, "{well}");
        }
        for wrong in [
            "",
            ".",
            ".*",
            "a.",
            "a*",
            "*.a",
            "a.*.b",
            "a b",
            "ä",
            &"a".repeat(256),
        ] {
            assert!(pattern_fault(wrong).is_some(), "{wrong}");
        }
    }
}
