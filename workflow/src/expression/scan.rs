//! Finds the `${ … }` in a text. Braces and quotes inside an expression are its own.

use std::borrow::Cow;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(Cow<'a, str>),
    /// What stands between `${` and `}`.
    Expression(&'a str),
}

/// Splits a text at its expressions; `$${` stands for `${` itself. Two texts never follow each
/// other.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut plain: Cow<'_, str> = Cow::Borrowed("");
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, opened) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            append(&mut plain, before);
            append(&mut plain, "${");
            rest = opened;
            continue;
        }
        append(&mut plain, before);
        let Some(end) = closing(opened) else {
            return Err("a `${` has no `}`; write `$${` for the two characters `${`".to_owned());
        };
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::replace(
                &mut plain,
                Cow::Borrowed(""),
            )));
        }
        pieces.push(Piece::Expression(&opened[..end]));
        rest = &opened[end + 1..];
    }
    append(&mut plain, rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

/// Returns what stands in `${ … }`, if the text is exactly one expression.
pub(super) fn whole(text: &str) -> Option<&str> {
    let opened = text.strip_prefix("${")?;
    let end = closing(opened)?;
    (end + 1 == opened.len()).then(|| &opened[..end])
}

/// Counts how deep brackets nest, outside strings.
pub(super) fn bracket_depth(expression: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    scan(expression, |byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        false
    });
    deepest
}

/// Returns where the `}` stands that closes an expression opened just before.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    scan(text, |byte| {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return true,
            b'}' => depth -= 1,
            _ => {}
        }
        false
    })
}

/// Shows every byte outside strings to `stop`, and returns where it first said true. Only ASCII
/// matters to it, and no byte of a longer character is ASCII.
fn scan(text: &str, mut stop: impl FnMut(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => at = after_string(bytes, at, quote),
            byte if stop(byte) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// Returns where a string ends that starts at `at`; the end of the text, if it is not closed.
fn after_string(bytes: &[u8], at: usize, quote: u8) -> usize {
    let raw = at > 0 && matches!(bytes[at - 1], b'r' | b'R')
        || at > 1 && matches!(bytes[at - 1], b'b' | b'B') && matches!(bytes[at - 2], b'r' | b'R');
    let triple = bytes[at..].starts_with(&[quote; 3]);
    let mut at = at + if triple { 3 } else { 1 };
    while at < bytes.len() {
        if bytes[at] == b'\\' && !raw {
            at += 2;
        } else if triple && bytes[at..].starts_with(&[quote; 3]) {
            return at + 3;
        } else if !triple && bytes[at] == quote {
            return at + 1;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn append<'a>(text: &mut Cow<'a, str>, more: &'a str) {
    if text.is_empty() {
        *text = Cow::Borrowed(more);
    } else if !more.is_empty() {
        text.to_mut().push_str(more);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::{bracket_depth, pieces, whole};

    /// Shows the pieces of a text, expressions in `<>`.
    fn check(text: &str, expected: &str) {
        let shown = match pieces(text) {
            Ok(pieces) => pieces
                .iter()
                .map(|piece| match piece {
                    super::Piece::Text(text) => format!("'{text}'"),
                    super::Piece::Expression(source) => format!("<{source}>"),
                })
                .collect::<String>(),
            Err(_) => "error".to_owned(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn expressions_are_found_in_text() {
        check("", "");
        check("plain $ { } text", "'plain $ { } text'");
        check("${a}", "<a>");
        check("x${a}y${b}", "'x'<a>'y'<b>");
        check("$${a}", "'${a}'");
        check("$$${a}", "'$${a}'");
        check("${ {'a': {'b': 1}}.a }!", "< {'a': {'b': 1}}.a >'!'");
        check("${'}'}", "<'}'>");
        check("${\"\\\"}\"}", "<\"\\\"}\">");
        check("${r'\\'}", "<r'\\'>");
        check("${'''it's }'''}", "<'''it's }'''>");
        check("${é + 'ü}'}", "<é + 'ü}'>");
        check("${a", "error");
        check("${'a}", "error");
        check("${", "error");
    }

    #[test]
    fn a_whole_expression_is_told_from_a_mixed_text() {
        assert_eq!(whole("${a}"), Some("a"));
        assert_eq!(whole("${a} "), None);
        assert_eq!(whole("${a}${b}"), None);
        assert_eq!(whole("a"), None);
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        assert_eq!(bracket_depth("f([{}])"), 3);
        assert_eq!(bracket_depth("'((((' + x"), 0);
        assert_eq!(bracket_depth(")))("), 1);
    }
}
