//! Regular expressions, with what they cost.
//!
//! What compiles is kept, so that a pattern in a loop is compiled once. A search is linear, in one of
//! two ways: mostly by an automaton that is made on the way, a few nanoseconds for a byte; where that
//! grows faster than it is worth, by following all states at once, which is paid for by their number.

use std::cell::RefCell;

use cel::ExecutionError;
use regex_automata::hybrid::dfa::{self, DFA};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::{Anchored, Input};

use super::budget::spend;
use super::weigh;
use crate::limits::{PATTERN_BYTES_MAX, PATTERN_COMPILED_BYTES_MAX};

/// Units for each byte of a pattern that names no classes of characters, of one that may, and of one
/// that takes large letters for small: to find those of a class of all characters takes 40 ms.
const PLAIN_UNITS_PER_BYTE: u64 = 20;
const CLASSES_UNITS_PER_BYTE: u64 = 200;
const ANY_CASE_UNITS_PER_BYTE: u64 = 4_000;
/// Bytes of a compiled pattern that take a unit to make.
const COMPILED_BYTES_PER_UNIT: usize = 64;
/// States that are followed over one byte in a unit.
const STATES_PER_UNIT: usize = 32;
/// Compiled patterns that a thread keeps: a few workflows at once have no more.
const KEPT_MAX: usize = 32;
/// Bytes of what is found out about a pattern on the way, for each that is kept.
const AUTOMATON_BYTES_MAX: usize = 64 << 10;
/// How often that may be thrown away before it is looked whether it is worth its making.
const AUTOMATON_CLEARS: usize = 4;

struct Compiled {
    pattern: Box<str>,
    nfa: NFA,
    dfa: DFA,
    cache: dfa::Cache,
}

thread_local! {
    /// The one used last comes last.
    static KEPT: RefCell<Vec<Compiled>> = const { RefCell::new(Vec::new()) };
}

/// Says whether a pattern matches somewhere in a text.
pub(super) fn matches(text: &str, pattern: &str) -> Result<bool, ExecutionError> {
    spend(weigh::of_bytes(text.len()) + weigh::of_bytes(pattern.len()))?;
    KEPT.with_borrow_mut(|kept| {
        let compiled = match kept.iter().position(|known| *known.pattern == *pattern) {
            Some(at) => kept.remove(at),
            None => compile(pattern)?,
        };
        if kept.len() == KEPT_MAX {
            kept.remove(0);
        }
        kept.push(compiled);
        let last = kept.len() - 1;
        kept[last].find(text)
    })
}

fn compile(pattern: &str) -> Result<Compiled, ExecutionError> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(refused(format!(
            "the pattern has {} bytes, at most {PATTERN_BYTES_MAX} are allowed",
            pattern.len()
        )));
    }
    let has_classes = pattern.contains(['\\', '(', '[', '{']);
    let rate = if ignores_case(pattern) {
        ANY_CASE_UNITS_PER_BYTE
    } else if has_classes {
        CLASSES_UNITS_PER_BYTE
    } else {
        PLAIN_UNITS_PER_BYTE
    };
    spend(rate * pattern.len() as u64)?;
    let config = NFA::config()
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(PATTERN_COMPILED_BYTES_MAX));
    let nfa = NFA::compiler().configure(config).build(pattern);
    let nfa = nfa.map_err(|error| match error.size_limit() {
        Some(_) => {
            // It was made up to there.
            let spent = spend((PATTERN_COMPILED_BYTES_MAX / COMPILED_BYTES_PER_UNIT) as u64);
            spent.err().unwrap_or_else(|| {
                refused(format!(
                    "the pattern is larger than {PATTERN_COMPILED_BYTES_MAX} bytes when it is \
                     compiled; repeat less, or use classes of fewer characters"
                ))
            })
        }
        None => refused(format!("'{pattern}' not a valid regex:\n{error}")),
    })?;
    spend((nfa.memory_usage() / COMPILED_BYTES_PER_UNIT) as u64)?;
    let config = DFA::config()
        .cache_capacity(AUTOMATON_BYTES_MAX)
        .skip_cache_capacity_check(true)
        .unicode_word_boundary(true)
        .minimum_cache_clear_count(Some(AUTOMATON_CLEARS))
        // A new state costs as much as following all over one byte.
        .minimum_bytes_per_state(Some(nfa.states().len()));
    let dfa = DFA::builder()
        .configure(config)
        .build_from_nfa(nfa.clone())
        .map_err(|error| refused(error.to_string()))?;
    let cache = dfa.create_cache();
    Ok(Compiled {
        pattern: pattern.into(),
        nfa,
        dfa,
        cache,
    })
}

/// Says whether a pattern may have the flag `i`.
fn ignores_case(pattern: &str) -> bool {
    pattern.split("(?").skip(1).any(|after| {
        let is_flag = |c: &char| c.is_ascii_alphabetic() || *c == '-';
        after.chars().take_while(is_flag).any(|flag| flag == 'i')
    })
}

impl Compiled {
    fn find(&mut self, text: &str) -> Result<bool, ExecutionError> {
        let input = Input::new(text).anchored(Anchored::No).earliest(true);
        if let Ok(found) = self.dfa.try_search_fwd(&mut self.cache, &input) {
            return Ok(found.is_some());
        }
        let steps = text.len().saturating_mul(self.nfa.states().len());
        spend((steps / STATES_PER_UNIT) as u64)?;
        let vm = PikeVM::builder()
            .build_from_nfa(self.nfa.clone())
            .map_err(|error| refused(error.to_string()))?;
        let mut cache = pikevm::Cache::new(&vm);
        Ok(vm.search_slots(&mut cache, &input, &mut []).is_some())
    }
}

fn refused(message: String) -> ExecutionError {
    ExecutionError::function_error("matches", message)
}

#[cfg(test)]
mod tests;
