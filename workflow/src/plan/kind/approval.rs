//! `approval` of a `wait`: what a person is asked, what they may answer, and who may.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use crate::limits::{APPROVAL_WORD_CHARS_MAX, APPROVAL_WORDS_MAX};
use crate::plan::Approval;
use crate::plan::site::Site;

/// Choices of an approval that names none.
const CHOICES: [&str; 2] = ["approve", "reject"];

/// Compiles the field `approval`.
pub(super) fn compile(site: &mut Site<'_, '_, '_>) -> Option<Approval> {
    let fields = site.fields.get("approval")?.as_object()?;
    let pointer = site.pointer_of("approval");
    let item = site.item;
    let mut site = site.at(pointer, fields, item);
    let asks = site.has("prompt");
    let prompt = site.template("prompt");
    let choices = words(&mut site, "choices", 2);
    let approvers = words(&mut site, "approvers", 1);
    if asks && prompt.is_none() {
        return None;
    }
    Some(Approval {
        prompt,
        choices: choices?.unwrap_or_else(|| CHOICES.map(Arc::from).to_vec()),
        approvers: approvers?,
    })
}

/// Reads a list of distinct words. `None`: something is wrong with it.
fn words(site: &mut Site<'_, '_, '_>, field: &str, least: usize) -> Option<Option<Vec<Arc<str>>>> {
    let Some(written) = site.fields.get(field) else {
        return Some(None);
    };
    let written = written.as_array()?;
    if !(least..=APPROVAL_WORDS_MAX).contains(&written.len()) {
        site.finding(
            field,
            format!("there must be from {least} to {APPROVAL_WORDS_MAX} of them"),
        );
        return None;
    }
    let pointer = site.pointer_of(field);
    let (mut words, mut seen) = (Vec::with_capacity(written.len()), HashSet::new());
    for (index, word) in written.iter().enumerate() {
        let word = Value::as_str(word)?;
        let sized = (1..=APPROVAL_WORD_CHARS_MAX).contains(&word.chars().count());
        if !sized || !seen.insert(word) {
            site.finding_at(
                format!("{pointer}/{index}"),
                format!("this must have 1 to {APPROVAL_WORD_CHARS_MAX} characters and occur once"),
            );
            return None;
        }
        words.push(word.into());
    }
    Some(Some(words))
}
