//! A place in a document while somebody walks through it: no longer than is ever told.

use std::fmt;

use stepwell_workflow::told::POINTER_CHARS_MAX;

/// A JSON pointer. Beyond what is told of one it does not grow.
#[derive(Debug)]
pub(crate) struct Pointer(String);

impl Pointer {
    /// Begins somewhere.
    pub(crate) fn at(begin: &str) -> Self {
        Self(begin.chars().take(POINTER_CHARS_MAX + 1).collect())
    }

    /// Goes into a field; returns what [`Pointer::back`] needs.
    pub(crate) fn push(&mut self, key: &str) -> usize {
        let mark = self.0.len();
        if mark <= POINTER_CHARS_MAX * char::MAX_LEN_UTF8 {
            self.0.push('/');
            for letter in key.chars().take(POINTER_CHARS_MAX) {
                match letter {
                    '~' => self.0.push_str("~0"),
                    '/' => self.0.push_str("~1"),
                    other => self.0.push(other),
                }
            }
        }
        mark
    }

    /// Goes to an item of a list.
    pub(crate) fn push_index(&mut self, index: usize) -> usize {
        self.push(&index.to_string())
    }

    /// Goes back to where it was.
    pub(crate) fn back(&mut self, mark: usize) {
        self.0.truncate(mark);
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
