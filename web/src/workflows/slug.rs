//! A workflow's slug: the name that stands in paths. It never changes, and it is never a UUID, so
//! that a path says clearly which of the two it means.

use stepwell_workflow::validate::Finding;
use uuid::Uuid;

/// Characters of a slug.
pub const SLUG_CHARS_MAX: usize = 128;

/// Words that stand in paths in the place of a slug.
const TAKEN: &[&str] = &["validate"];

/// Says whether a text can be a slug.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    (1..=SLUG_CHARS_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
        && Uuid::try_parse(text).is_err()
        && !TAKEN.contains(&text)
}

/// Makes a slug of a name: the name itself where it can be one, else its letters and digits.
#[must_use]
pub fn of_name(name: &str) -> Option<String> {
    if is_slug(name) {
        return Some(name.to_owned());
    }
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(SLUG_CHARS_MAX);
    let slug = slug.trim_end_matches('-').to_owned();
    is_slug(&slug).then_some(slug)
}

/// Returns the slug of a new workflow: the client's choice, else made of the name.
///
/// # Errors
/// The finding, when it cannot be one.
pub fn choose(id: Option<&str>, name: &str) -> Result<String, Finding> {
    match id {
        Some(id) if is_slug(id) => Ok(id.to_owned()),
        Some(_) => Err(Finding::rule(
            "/id",
            format!(
                "must have 1 to {SLUG_CHARS_MAX} characters of A-Z, a-z, 0-9, _ and -, and must \
                 not be a UUID or the word {}",
                TAKEN.join(", ")
            ),
        )),
        None => of_name(name)
            .ok_or_else(|| Finding::rule("/name", "no slug can be made of it; give one in id")),
    }
}

#[cfg(test)]
mod tests {
    use super::{SLUG_CHARS_MAX, choose, is_slug, of_name};

    #[test]
    fn the_client_chooses_or_the_name_does() {
        let check = |id, name, slug: Result<&str, &str>| {
            let chosen = choose(id, name).map_err(|finding| finding.pointer);
            assert_eq!(chosen.as_deref().map_err(String::as_str), slug);
        };
        check(Some("mine"), "Demo Workflow", Ok("mine"));
        check(None, "Demo Workflow", Ok("demo-workflow"));
        check(Some("not mine"), "Demo Workflow", Err("/id"));
        check(None, "…", Err("/name"));
    }

    #[test]
    fn a_slug_is_short_plain_and_no_uuid() {
        assert!(is_slug("my-workflow_2"));
        assert!(is_slug(&"x".repeat(SLUG_CHARS_MAX)));
        for text in [
            "",
            "a b",
            "ü",
            "validate",
            &"x".repeat(SLUG_CHARS_MAX + 1),
            "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41",
            "0199b6d23c1f7a528f2e1d7f5c0e9a41",
        ] {
            assert!(!is_slug(text), "{text}");
        }
    }

    #[test]
    fn names_become_slugs() {
        let check = |name, slug: Option<&str>| assert_eq!(of_name(name).as_deref(), slug);
        check("Order", Some("Order"));
        check("Demo Workflow", Some("demo-workflow"));
        check("  Größe & Preis! ", Some("gr-e-preis"));
        check("…", None);
    }
}
