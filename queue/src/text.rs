//! Text from outside on its way into a text column. Postgres knows every character but NUL.

use std::borrow::Cow;

/// Returns the text with each NUL shown as U+FFFD, so that one odd name never breaks a statement.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn only_nul_is_replaced() {
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
        assert_eq!(
            clean("naïve 🦆 \u{202e}\u{10ffff}"),
            "naïve 🦆 \u{202e}\u{10ffff}"
        );
    }
}
