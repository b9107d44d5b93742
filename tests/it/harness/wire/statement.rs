//! The text of a statement as it can be compared with what is written in the sources.

/// The letters of a day in a partition's name, after its underscore.
const DAY: usize = 8;

/// One space between words, and no day in the name of a partition: which day it was is no matter.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        match day_in(word) {
            Some(at) if word.contains("stepwell.") => {
                plain.push_str(&word[..at]);
                plain.push_str(&word[at + 1 + DAY..]);
            }
            _ => plain.push_str(word),
        }
    }
    plain
}

/// Whether it begins a transaction, by itself or with that transaction's settings.
pub(crate) fn begins(text: &str) -> bool {
    text == "BEGIN" || text.starts_with("begin;")
}

/// Where a day stands in a word.
fn day_in(word: &str) -> Option<usize> {
    let bytes = word.as_bytes();
    bytes
        .windows(1 + DAY)
        .position(|window| window[0] == b'_' && window[1..].iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_partition_is_named_as_its_table() {
        let text = "update stepwell.run_20260131 r\n  set status = 'a_12345678'";
        assert_eq!(
            plain(text),
            "update stepwell.run r set status = 'a_12345678'"
        );
    }
}
