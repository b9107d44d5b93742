//! The definitions in `examples/`, as they stand there but for the agents' address.

use anyhow::Context;
use serde_json::Value;

/// Where the files say that the agents are.
const WRITTEN: &str = "http://127.0.0.1:9000";

pub(crate) const AGENTS: &[&str] = &[
    include_str!("../agents/broken.json"),
    include_str!("../agents/charge.json"),
    include_str!("../agents/flaky.json"),
    include_str!("../agents/hopeless.json"),
    include_str!("../agents/pack.json"),
    include_str!("../agents/reserve.json"),
    include_str!("../agents/ship.json"),
    include_str!("../agents/slow.json"),
    include_str!("../agents/weigh.json"),
];

pub(crate) const WORKFLOWS: &[&str] = &[
    include_str!("../workflows/delay-webhook.json"),
    include_str!("../workflows/eligibility.json"),
    include_str!("../workflows/fragile.json"),
    include_str!("../workflows/hopeless.json"),
    include_str!("../workflows/impact.json"),
    include_str!("../workflows/long.json"),
    include_str!("../workflows/order.json"),
    include_str!("../workflows/slow.json"),
];

/// Reads a definition; the agents are at `agents`.
pub(crate) fn read(text: &str, agents: &str) -> anyhow::Result<Value> {
    serde_json::from_str(&text.replace(WRITTEN, agents)).context("an example is no JSON")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{AGENTS, WORKFLOWS, WRITTEN, read};

    /// The files in a folder of `examples/`.
    fn files(folder: &str) -> BTreeSet<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join(folder);
        let entries = std::fs::read_dir(path).unwrap();
        entries
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect()
    }

    fn listed(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn no_file_is_forgotten() {
        assert_eq!(files("agents"), listed(AGENTS));
        assert_eq!(files("workflows"), listed(WORKFLOWS));
    }

    #[test]
    fn every_workflow_is_sound_and_names_agents_that_exist() {
        let agents: BTreeSet<String> = AGENTS
            .iter()
            .map(|text| {
                read(text, WRITTEN).unwrap()["name"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let mut used = BTreeSet::new();
        for text in WORKFLOWS {
            let mut document = read(text, WRITTEN).unwrap();
            let id = document.as_object_mut().unwrap().remove("id").unwrap();
            let (_, references) = stepwell_workflow::validate::validate(&document)
                .unwrap_or_else(|findings| panic!("{id}: {findings:#?}"));
            used.extend(references.agents.into_iter().map(|(_, name)| name));
            assert_eq!(references.workflows, [], "{id}");
        }
        assert_eq!(used, agents, "every agent has its example");
    }

    #[test]
    fn the_address_of_the_agents_is_filled_in() {
        for text in AGENTS {
            let agent = read(text, "http://127.0.0.1:1").unwrap();
            assert!(
                agent["url"]
                    .as_str()
                    .unwrap()
                    .starts_with("http://127.0.0.1:1/")
            );
        }
    }
}
