//! From a document to a definition that can be stored, or to everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize as _;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use stepwell_queue::Store;
use stepwell_queue::workflow::{Secrets, WorkflowText};
use stepwell_workflow::Definition;
use stepwell_workflow::secrets;
use stepwell_workflow::told::Told;
use stepwell_workflow::validate::{Finding, References, references, validate};

use super::slug;
use crate::answer::Result;
use crate::apart;
use crate::labels;
use crate::problem::{Fault, Faults, Kind, Problem};

/// A document without a fault.
#[derive(Debug)]
pub struct Checked {
    /// The client's `id`, as it was given.
    pub id: Option<String>,
    /// The slug that a new workflow gets.
    pub slug: Option<String>,
    pub text: WorkflowText,
    /// (pointer, name or id) of each agent that it names.
    pub agents: Vec<(String, String)>,
    /// The pointer of each place that holds a secret.
    pub secrets: BTreeMap<String, String>,
}

/// What a client hears that sends a mask where nothing is kept.
const NOTHING_KEPT: &str = "there is no secret to keep here; send the secret itself";
/// What a client hears that sends a signing secret to a server without a master key.
const NO_MASTER_KEY: &str = "signing secrets are stored encrypted, and this server has no master \
    key; point STEPWELL_MASTER_KEY_FILE at a file with 32 bytes in base64 (openssl rand -base64 32) \
    and start it again";

/// Says the same of these places, or of all.
fn at_secrets(definition: &Value, places: Option<&[String]>, detail: &str) -> Told<Finding> {
    secrets::pointers(definition)
        .into_iter()
        .filter(|(place, _)| places.is_none_or(|places| places.contains(place)))
        .map(|(_, pointer)| Finding::rule(pointer, detail))
        .collect()
}

impl Checked {
    /// What is wrong with masks at places where nothing is kept.
    #[must_use]
    pub fn nothing_kept(secrets: &BTreeMap<String, String>, places: &[String]) -> Told<Finding> {
        let pointers = places.iter().filter_map(|place| secrets.get(place));
        pointers.map(|at| Finding::rule(at, NOTHING_KEPT)).collect()
    }

    /// What is wrong with secrets that cannot be encrypted.
    #[must_use]
    pub fn no_master_key(secrets: &BTreeMap<String, String>) -> Told<Finding> {
        let pointers = secrets.values();
        pointers
            .map(|at| Finding::rule(at, NO_MASTER_KEY))
            .collect()
    }

    /// The problem of agents that were there when the document was checked, and are gone.
    #[must_use]
    pub fn without(agents: &[(String, String)], gone: &[String]) -> Problem {
        let named = agents.iter().filter(|(_, name)| gone.contains(name));
        let faults = named.map(|(pointer, name)| Fault::from(no_agent(pointer, name)));
        Problem::invalid(faults.collect::<Faults>())
    }
}

fn no_agent(pointer: &str, name: &str) -> Finding {
    Finding::rule(
        pointer,
        format!("there is no agent {name:?}; register it first"),
    )
}

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A workflow that is to be: it needs a slug.
    Create,
    /// A workflow that is: its slug does not change.
    Replace,
}

/// Checks a document; every finding is told, and nothing stored.
///
/// # Errors
/// 400 when all that is wrong is the shape, else 422.
pub async fn check(store: &Store, document: &RawValue, purpose: Purpose) -> Result<Checked> {
    match findings(store, document, purpose).await? {
        Ok(checked) => Ok(checked),
        Err(findings) => Err(refused(findings)),
    }
}

/// Checks a document; the inner error lists every finding.
///
/// # Errors
/// 400 when it is no JSON that can be read, 503 when the database is away.
pub async fn findings(
    store: &Store,
    document: &RawValue,
    purpose: Purpose,
) -> Result<std::result::Result<Checked, Told<Finding>>> {
    let bytes = document.get().len();
    let Alone {
        value,
        own,
        sound,
        names,
        mut findings,
    } = apart::by_size(bytes, || alone(document)).await??;
    let name = value.get("name").and_then(Value::as_str);
    let slug = match name.map(|name| slug::choose(own.id.as_deref(), name)) {
        Some(Ok(slug)) => Some(slug),
        Some(Err(finding)) if purpose == Purpose::Create => {
            findings.push(finding);
            None
        }
        _ => None,
    };
    findings.append(unknown(store, &names, slug.as_deref()).await?);
    let Some(definition) = sound.filter(|_| findings.is_empty()) else {
        return Ok(Err(findings));
    };
    apart::by_size(bytes, || {
        text_of(
            store,
            document,
            purpose,
            value,
            (own, slug, definition, names),
        )
    })
    .await?
}

/// What can be said of a document without looking anything up.
struct Alone {
    value: Value,
    own: Identity,
    sound: Option<Definition>,
    names: References,
    findings: Told<Finding>,
}

fn alone(document: &RawValue) -> Result<Alone> {
    let value: Value = serde_json::from_str(document.get())
        .map_err(|error| Problem::new(Kind::MalformedJson, format!("{error}.")))?;
    let mut findings = Told::new();
    let (value, own) = take_identity(value, &mut findings);
    let (sound, names) = match validate(&value) {
        Ok((definition, references)) => (Some(definition), references),
        Err(broken) => {
            findings.append(broken.0);
            (None, references(&value))
        }
    };
    if let Some(definition) = &sound {
        let mut faults = Faults::new();
        labels::check(&definition.labels, "/labels", &mut faults);
        findings.extend(
            faults
                .into_iter()
                .map(|fault| Finding::rule(fault.pointer.unwrap_or_default(), fault.detail)),
        );
    }
    Ok(Alone {
        value,
        own,
        sound,
        names,
        findings,
    })
}

/// Makes of a sound document what is stored.
fn text_of(
    store: &Store,
    document: &RawValue,
    purpose: Purpose,
    value: Value,
    (own, slug, definition, names): (Identity, Option<String>, Definition, References),
) -> Result<std::result::Result<Checked, Told<Finding>>> {
    let mut masked = value;
    let secrets = Secrets::fresh(secrets::take(&mut masked));
    if !secrets.is_empty() && !store.keeps_secrets() {
        return Ok(Err(at_secrets(&masked, None, NO_MASTER_KEY)));
    }
    if purpose == Purpose::Create && !secrets.masked().is_empty() {
        let places: Vec<_> = secrets.masked().into_iter().map(str::to_owned).collect();
        return Ok(Err(at_secrets(&masked, Some(&places), NOTHING_KEPT)));
    }
    // Without secrets it is the same, and need not be read once more.
    let content_hash = if secrets.is_empty() {
        definition.content_hash()
    } else {
        Definition::deserialize(&masked)
            .map_err(Problem::internal)?
            .content_hash()
    };
    let definition_text = without_identity(document)?;
    let text = WorkflowText {
        content_hash,
        name: definition.name,
        description: definition.description,
        active: own.active,
        labels: definition.labels,
        definition: secrets::mask(&definition_text).map_err(Problem::internal)?,
        secrets,
        agents: distinct(&names.agents),
    };
    Ok(Ok(Checked {
        secrets: secrets::pointers(&masked),
        id: own.id,
        slug,
        text,
        agents: names.agents,
    }))
}

/// What a document says beside the definition.
struct Identity {
    id: Option<String>,
    active: Option<bool>,
}

/// The fields of a document that are no part of its definition.
const IDENTITY: &[&str] = &["id", "status"];

/// Takes `id` and `status` out of the document, and top-level nulls, which mean the same as absence.
fn take_identity(mut value: Value, findings: &mut Told<Finding>) -> (Value, Identity) {
    let mut own = Identity {
        id: None,
        active: None,
    };
    let Some(fields) = value.as_object_mut() else {
        return (value, own);
    };
    fields.retain(|_, field| !field.is_null());
    match fields.remove("id") {
        None => {}
        Some(Value::String(id)) => own.id = Some(id),
        Some(_) => findings.push(Finding::malformed("/id", "must be a string")),
    }
    match fields.remove("status") {
        None => {}
        Some(Value::String(word)) if word == "active" => own.active = Some(true),
        Some(Value::String(word)) if word == "inactive" => own.active = Some(false),
        Some(Value::String(_)) => findings.push(Finding::rule(
            "/status",
            "must be \"active\" or \"inactive\"",
        )),
        Some(_) => findings.push(Finding::malformed("/status", "must be a string")),
    }
    (value, own)
}

/// The definition as it was written: each field's own text, without the identity. A field that
/// was written twice counts once, the last time, as in the check.
fn without_identity(document: &RawValue) -> Result<Box<RawValue>> {
    let mut fields: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(document.get()).map_err(Problem::internal)?;
    fields.retain(|name, field| !IDENTITY.contains(&name.as_str()) && field.get() != "null");
    to_raw_value(&fields).map_err(Problem::internal)
}

/// Finds the agents and workflows that are named and do not exist. A workflow may name itself.
async fn unknown(
    store: &Store,
    names: &References,
    own_slug: Option<&str>,
) -> Result<Told<Finding>> {
    let mut findings = Told::new();
    if !names.agents.is_empty() {
        let unknown = store.unknown_agents(&distinct(&names.agents)).await?;
        for (pointer, name) in &names.agents {
            if unknown.contains(name) && !findings.is_over() {
                findings.push(no_agent(pointer, name));
            }
        }
    }
    if !names.workflows.is_empty() {
        let unknown = store.unknown_workflows(&distinct(&names.workflows)).await?;
        for (pointer, name) in &names.workflows {
            if unknown.contains(name) && own_slug != Some(name) {
                let detail = format!("there is no workflow {name:?}; create it first");
                findings.push(Finding::rule(pointer, detail));
            }
        }
    }
    if !names.versions.is_empty() {
        findings.append(unknown_versions(store, names).await?);
    }
    Ok(findings)
}

/// Finds the versions that are named of workflows that have no such version.
async fn unknown_versions(store: &Store, names: &References) -> Result<Told<Finding>> {
    let wanted: BTreeSet<_> = names
        .versions
        .iter()
        .map(|(_, name, n)| (name, *n))
        .collect();
    let (slugs, versions): (Vec<_>, Vec<_>) = wanted
        .into_iter()
        .map(|(name, n)| (name.clone(), n))
        .unzip();
    let unknown = store.unknown_versions(&slugs, &versions).await?;
    let missing = names
        .versions
        .iter()
        .filter(|(_, name, version)| unknown.contains(&(name.clone(), *version)));
    let findings = missing.map(|(pointer, name, version)| {
        let detail = format!("the workflow {name:?} has no version {version}");
        Finding::rule(pointer.clone(), detail)
    });
    Ok(findings.collect())
}

fn distinct(named: &[(String, String)]) -> Vec<String> {
    let names: BTreeSet<&str> = named.iter().map(|(_, name)| name.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// The problem of these findings: 400 when all that is wrong is the shape, else 422.
#[must_use]
pub fn refused(findings: Told<Finding>) -> Problem {
    if !findings.iter().all(|finding| finding.malformed) {
        return Problem::invalid(findings.map(Fault::from));
    }
    let detail = match &*findings {
        [one] => format!("{} {}.", one.pointer, one.detail).trim().to_owned(),
        _ => format!(
            "{} things have the wrong shape; errors lists them.",
            findings.count()
        ),
    };
    Problem::new(Kind::MalformedBody, detail).with_errors(findings.map(Fault::from))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{Told, refused, take_identity, without_identity};
    use crate::problem::Kind;
    use serde_json::json;
    use serde_json::value::RawValue;
    use stepwell_workflow::validate::Finding;

    #[test]
    fn identity_is_taken_out_and_checked() {
        let mut findings = Told::new();
        let document = json!({"id": 7, "status": "off", "name": "a", "description": null});
        let (rest, own) = take_identity(document, &mut findings);
        assert_eq!(rest, json!({"name": "a"}));
        assert!(own.id.is_none() && own.active.is_none());
        let told: Vec<_> = findings
            .iter()
            .map(|finding| (finding.pointer.as_str(), finding.malformed))
            .collect();
        assert_eq!(told, [("/id", true), ("/status", false)]);
    }

    #[test]
    fn what_is_stored_is_what_was_written() {
        let written = r#"{"id":"x","steps":[{"z":1,  "a":2.50}],"name":"n","output":null}"#;
        let document: Box<RawValue> = serde_json::from_str(written).unwrap();
        assert_eq!(
            without_identity(&document).unwrap().get(),
            r#"{"name":"n","steps":[{"z":1,  "a":2.50}]}"#
        );
    }

    #[test]
    fn one_broken_rule_makes_it_422() {
        let shape = || Finding::malformed("/a", "is wrong");
        assert_eq!(refused(vec![shape()].into()).kind(), Kind::MalformedBody);
        let both = vec![shape(), Finding::rule("/b", "is broken")];
        assert_eq!(refused(both.into()).kind(), Kind::Invalid);
    }
}
