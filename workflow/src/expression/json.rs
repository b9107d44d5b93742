//! JSON to CEL values and back.

use std::collections::HashMap;

use cel::ExecutionError;
use cel::common::types::{
    CelBool, CelDouble, CelDuration, CelInt, CelList, CelMap, CelMapKey, CelNull, CelOptional,
    CelString, CelTimestamp, CelUInt,
};
use cel::common::value::Val;
use serde_json::{Map, Number, Value};

use super::{sentence, weigh};
use crate::limits::PAYLOAD_DEPTH_MAX;

/// Makes a CEL value that owns everything; null where nothing is left to spend on it, which ends the
/// evaluation.
pub(super) fn to_cel(value: &Value) -> Box<dyn Val> {
    if spend_on_making(value).is_err() {
        return Box::new(CelNull);
    }
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(b) => Box::new(CelBool::from(*b)),
        Value::Number(number) => number_to_cel(number),
        Value::String(text) => Box::new(CelString::from(text.clone())),
        Value::Array(items) => {
            let items: Vec<Box<dyn Val>> = items.iter().map(to_cel).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(fields) => {
            let fields: HashMap<CelMapKey<'static>, Box<dyn Val>> = fields
                .iter()
                .map(|(key, value)| (CelMapKey::from(key.clone()), to_cel(value)))
                .collect();
            Box::new(CelMap::from(fields))
        }
    }
}

/// Spends what a value costs without those in it.
fn spend_on_making(value: &Value) -> Result<(), ExecutionError> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) => weigh::spend_on_bytes(text.len()),
        Value::Array(items) => weigh::spend_on_values(items.len()),
        Value::Object(fields) => {
            fields
                .keys()
                .try_for_each(|key| weigh::spend_on_bytes(key.len()))?;
            weigh::spend_on_values(1 + 2 * fields.len())
        }
    }
}

fn number_to_cel(number: &Number) -> Box<dyn Val> {
    if let Some(int) = number.as_i64() {
        Box::new(CelInt::from(int))
    } else if let Some(uint) = number.as_u64() {
        Box::new(CelUInt::from(uint))
    } else {
        Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN)))
    }
}

/// Makes JSON. Timestamps become RFC 3339 text, durations text such as `90s`, an absent optional
/// null. `level` says how deep the value will stand in a template.
pub(super) fn from_cel(value: &dyn Val, level: usize) -> Result<Value, String> {
    if level > PAYLOAD_DEPTH_MAX {
        return Err(too_deep());
    }
    let spent = |result: Result<(), ExecutionError>| result.map_err(|e| sentence::problem(&e));
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        spent(weigh::spend_on_bytes(text.inner().len()))?;
        Ok(Value::String(text.inner().to_owned()))
    } else if let Some(int) = value.downcast_ref::<CelInt>() {
        Ok(Value::from(*int.inner()))
    } else if let Some(b) = value.downcast_ref::<CelBool>() {
        Ok(Value::Bool(*b.inner()))
    } else if let Some(double) = value.downcast_ref::<CelDouble>() {
        Number::from_f64(*double.inner())
            .map(Value::Number)
            .ok_or_else(|| "the number is not finite, and JSON has none such".to_owned())
    } else if let Some(uint) = value.downcast_ref::<CelUInt>() {
        Ok(Value::from(*uint.inner()))
    } else if value.downcast_ref::<CelNull>().is_some() {
        Ok(Value::Null)
    } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        spent(weigh::spend_on_values(list.inner().len()))?;
        list.iter()
            .map(|item| from_cel(item.as_ref(), level + 1))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array)
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        let keys = map.keys();
        spent(
            keys.into_iter()
                .try_for_each(|key| weigh::spend_on(key.inner())),
        )?;
        map.iter()
            .map(|(key, value)| Ok((key_text(key), from_cel(value.as_ref(), level + 1)?)))
            .collect::<Result<std::collections::BTreeMap<_, _>, String>>()
            .map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()))
    } else if let Some(time) = value.downcast_ref::<CelTimestamp>() {
        Ok(Value::String(time_text(&time.inner().to_utc())))
    } else if let Some(duration) = value.downcast_ref::<CelDuration>() {
        Ok(Value::String(duration_text(duration.inner())))
    } else if let Some(optional) = value.downcast_ref::<CelOptional<'_>>() {
        optional
            .option()
            .map_or(Ok(Value::Null), |inner| from_cel(inner, level))
    } else {
        // Bytes become base64, a type its name.
        cel::Value::try_from(value)
            .ok()
            .and_then(|value| value.json().ok())
            .ok_or_else(|| format!("a value of type {} has no JSON", value.get_type().name()))
    }
}

/// Gives the value back if it does not nest too deep where it will stand.
pub(super) fn within_depth(value: Value, level: usize) -> Result<Value, String> {
    fn fits(value: &Value, levels: usize) -> bool {
        match value {
            Value::Array(items) => levels > 0 && items.iter().all(|item| fits(item, levels - 1)),
            Value::Object(fields) => {
                levels > 0 && fields.values().all(|field| fits(field, levels - 1))
            }
            _ => true,
        }
    }
    if fits(&value, PAYLOAD_DEPTH_MAX.saturating_sub(level)) {
        Ok(value)
    } else {
        Err(too_deep())
    }
}

fn too_deep() -> String {
    format!("the value nests more than {PAYLOAD_DEPTH_MAX} levels deep")
}

fn key_text(key: &CelMapKey<'_>) -> String {
    match key {
        CelMapKey::String(text) => text.inner().to_owned(),
        CelMapKey::Int(int) => int.inner().to_string(),
        CelMapKey::UInt(uint) => uint.inner().to_string(),
        CelMapKey::Bool(b) => b.inner().to_string(),
    }
}

/// Writes an instant as the API does.
pub(super) fn time_text(time: &crate::Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn duration_text(duration: &chrono::Duration) -> String {
    let sign = if *duration < chrono::Duration::zero() {
        "-"
    } else {
        ""
    };
    let (seconds, nanos) = (
        duration.num_seconds().unsigned_abs(),
        duration.subsec_nanos().unsigned_abs(),
    );
    let fraction = format!(".{nanos:09}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{sign}{seconds}{fraction}s")
}

/// Names the type of a JSON value, with its article.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
