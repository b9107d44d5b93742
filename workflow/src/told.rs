//! What is told of mistakes, within bounds: else a small request that is wrong in a million places
//! gets an answer of gigabytes.
//!
//! [`brief`] bounds a text, [`Told`] a list. Whoever looks for mistakes stops when a list
//! [is over](Told::is_over): what would not be told need not be found.

use std::fmt::{Display, Write};
use std::ops::Deref;

/// Mistakes that one answer tells: whoever has mended a hundred sends the rest again.
pub const FAULTS_MAX: usize = 100;
/// Characters of a place: enough to find it, and keys can be megabytes long.
pub const POINTER_CHARS_MAX: usize = 256;
/// Characters of a sentence: a value that it quotes can be megabytes long as well.
pub const DETAIL_CHARS_MAX: usize = 500;
/// Bytes of all that one answer tells, as JSON: a character can take six, so the bounds above would
/// allow half a megabyte.
pub const TOLD_BYTES_MAX: usize = 40 << 10;

/// What stands for the rest of a text.
const REST: char = '…';

/// Writes what is said, up to so many characters. What is longer is not even written.
pub fn brief(said: impl Display, chars_max: usize) -> String {
    let mut page = Page {
        text: String::new(),
        left: chars_max,
    };
    if write!(page, "{said}").is_err() {
        page.text.pop();
        page.text.push(REST);
    }
    page.text
}

/// Text with an end.
struct Page {
    text: String,
    /// Characters.
    left: usize,
}

impl Write for Page {
    fn write_str(&mut self, piece: &str) -> std::fmt::Result {
        match piece.char_indices().nth(self.left) {
            None => {
                self.left -= piece.chars().count();
                self.text.push_str(piece);
                Ok(())
            }
            Some((end, _)) => {
                self.text.push_str(piece.get(..end).unwrap_or_default());
                self.left = 0;
                Err(std::fmt::Error)
            }
        }
    }
}

/// Bytes of a text within JSON.
#[must_use]
pub fn json_bytes(text: &str) -> usize {
    let bytes = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(bytes).sum()
}

/// What can be told: something with a size.
pub trait Tell {
    /// Bytes that it takes in an answer, nearly.
    fn bytes(&self) -> usize;
}

/// A list of mistakes that ends after [`FAULTS_MAX`] or [`TOLD_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<T> {
    told: Vec<T>,
    bytes: usize,
    found: usize,
}

impl<T> Told<T> {
    /// Makes an empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            told: Vec::new(),
            bytes: 0,
            found: 0,
        }
    }

    /// Says whether there is more than is told; whoever looks for more may stop.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.found > self.told.len()
    }

    /// Returns how many there were, told or not.
    #[must_use]
    pub const fn found(&self) -> usize {
        self.found
    }

    /// Says how many there are, in words.
    #[must_use]
    pub fn count(&self) -> String {
        let many = self.told.len();
        if self.is_over() {
            format!("more than {many}")
        } else {
            many.to_string()
        }
    }
}

impl<T: Tell> Told<T> {
    /// Adds one, if there is room.
    pub fn push(&mut self, one: T) {
        let bytes = self.bytes + one.bytes();
        let fits = self.told.len() < FAULTS_MAX && bytes <= TOLD_BYTES_MAX && !self.is_over();
        self.found += 1;
        if fits {
            self.bytes = bytes;
            self.told.push(one);
        }
    }
}

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Told<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.told
    }
}

impl<T: Tell> Extend<T> for Told<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        for one in more {
            self.push(one);
            if self.is_over() {
                return;
            }
        }
    }
}

impl<T: Tell> FromIterator<T> for Told<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut told = Self::new();
        told.extend(all);
        told
    }
}

impl<T: Tell> From<Vec<T>> for Told<T> {
    fn from(all: Vec<T>) -> Self {
        all.into_iter().collect()
    }
}

impl<T> Told<T> {
    /// Returns the list of what each became, with the same end.
    pub fn map<U: Tell>(self, become_: impl FnMut(T) -> U) -> Told<U> {
        let found = self.found;
        let mut told: Told<U> = self.told.into_iter().map(become_).collect();
        told.found = told.found.max(found);
        told
    }

    /// Adds what another list tells, and that it has an end where it has one.
    pub fn append(&mut self, other: Self)
    where
        T: Tell,
    {
        let untold = other.found - other.told.len();
        self.extend(other.told);
        self.found += untold;
    }
}

impl<T> IntoIterator for Told<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.told.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Told<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.told.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    impl Tell for String {
        fn bytes(&self) -> usize {
            json_bytes(self)
        }
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        assert_eq!(brief("short", 5), "short");
        assert_eq!(brief("longer", 5), "long…");
        assert_eq!(brief(format_args!("{}{}", "äöü", "äöü"), 4), "äöü…");
    }

    #[test]
    fn a_list_ends_and_says_so() {
        let mut told: Told<String> = (0..FAULTS_MAX).map(|n| n.to_string()).collect();
        assert!(!told.is_over());
        told.push("one more".to_owned());
        assert!(told.is_over());
        assert_eq!((told.len(), told.count().as_str()), (100, "more than 100"));
        let long: Told<String> = vec!["\u{1}".repeat(4_000); 10].into();
        assert!(long.len() < 3 && long.is_over());
    }

    proptest! {
        #[test]
        fn the_size_in_json_is_no_more_than_is_said(text in any::<String>()) {
            let quoted = serde_json::to_string(&text).map_or(0, |json| json.len() - 2);
            assert!(quoted <= json_bytes(&text));
            assert!(brief(&text, 20).chars().count() <= 20);
        }
    }
}
