//! What values cost: a unit each, and one for each 64 bytes of text.

use cel::ExecutionError;
use cel::common::types::{CelBytes, CelList, CelMap, CelOptional, CelString};
use cel::common::value::Val;
use serde_json::Value;

use super::budget::spend;

/// Bytes of text that count as one unit.
const TEXT_BYTES_PER_UNIT: usize = 64;
/// Values of JSON that are made, read or copied for one unit: each takes far less than one that is
/// looped over.
const JSON_VALUES_PER_UNIT: usize = 4;

/// Spends what copying or comparing a value costs. Stops counting where nothing is left.
pub(super) fn spend_on(value: &dyn Val) -> Result<(), ExecutionError> {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        spend(of_bytes(text.inner().len()))
    } else if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
        spend(of_bytes(bytes.inner().len()))
    } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        spend(1)?;
        list.iter().try_for_each(|value| spend_on(value.as_ref()))
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        spend(1)?;
        map.iter().try_for_each(|(key, value)| {
            spend_on(key.inner())?;
            spend_on(value.as_ref())
        })
    } else if let Some(optional) = value.downcast_ref::<CelOptional<'_>>() {
        spend(1)?;
        optional.option().map_or(Ok(()), spend_on)
    } else {
        spend(1)
    }
}

/// Spends what going through the text of a value costs; one that has none is free.
pub(super) fn spend_on_text(value: &dyn Val) -> Result<(), ExecutionError> {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        spend(of_bytes(text.inner().len()))
    } else if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
        spend(of_bytes(bytes.inner().len()))
    } else {
        Ok(())
    }
}

/// Returns the units of a text.
pub(super) const fn of_bytes(bytes: usize) -> u64 {
    1 + (bytes / TEXT_BYTES_PER_UNIT) as u64
}

/// Spends what a list or an object of so many values costs, without what is in them.
pub(super) fn spend_on_values(values: usize) -> Result<(), ExecutionError> {
    spend((values / JSON_VALUES_PER_UNIT) as u64)
}

/// Spends what text of so many bytes costs, where it is one of many values.
pub(super) fn spend_on_bytes(bytes: usize) -> Result<(), ExecutionError> {
    spend((bytes / TEXT_BYTES_PER_UNIT) as u64)
}

/// Spends what copying JSON costs. A scalar is free.
pub(super) fn spend_on_json(value: &Value) -> Result<(), ExecutionError> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) => spend_on_bytes(text.len()),
        Value::Array(items) => {
            spend_on_values(items.len())?;
            items.iter().try_for_each(spend_on_json)
        }
        Value::Object(fields) => {
            // Room for some more is made with the first field.
            spend(1)?;
            spend_on_values(fields.len())?;
            fields.iter().try_for_each(|(key, value)| {
                spend_on_bytes(key.len())?;
                spend_on_json(value)
            })
        }
    }
}
