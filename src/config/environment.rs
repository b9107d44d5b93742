//! The environment: clap reads the variables, this refuses those that nobody reads.

use clap::builder::Resettable;

use super::Mistake;

const PREFIX: &str = "STEPWELL_";

/// Fails when a variable of ours is not one of ours.
///
/// # Errors
/// Names the variable, and the nearest known one.
pub(crate) fn refuse_unknown(
    command: &clap::Command,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<(), Mistake> {
    let mut known = Vec::new();
    collect(command, &mut known);
    for (name, value) in variables {
        let ours =
            name.starts_with(PREFIX) && !is_service_link(&name, &value) && !is_of_builds(&name);
        if ours && !known.contains(&name) {
            return Err(Mistake::new(format!(
                "the environment variable {name} is not known{}; .env.example lists all of them",
                nearest(&name, &known)
            )));
        }
    }
    Ok(())
}

/// Takes variables that are empty for variables that are not set: so an `.env` file may name one and
/// leave its value out.
pub(crate) fn without_empty(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let value = argument.get_env().and_then(std::env::var_os);
        if value.is_some_and(|value| value.is_empty()) {
            argument.env(Resettable::Reset)
        } else {
            argument
        }
    });
    command.mut_subcommands(without_empty)
}

fn collect(command: &clap::Command, known: &mut Vec<String>) {
    known.extend(
        command
            .get_arguments()
            .filter_map(|argument| argument.get_env())
            .map(|name| name.to_string_lossy().into_owned()),
    );
    for inner in command.get_subcommands() {
        collect(inner, known);
    }
}

/// Kubernetes gives every pod variables about a service that is named `stepwell`. Those are
/// addresses; `STEPWELL_PORT=8080` is a mistake all the same.
fn is_service_link(name: &str, value: &str) -> bool {
    name.starts_with("STEPWELL_SERVICE_")
        || name.starts_with("STEPWELL_PORT_")
        || (name == "STEPWELL_PORT" && value.contains("://"))
}

/// Read when the program is built and tested; it may still be set when it runs there.
fn is_of_builds(name: &str) -> bool {
    name == "STEPWELL_COMMIT" || name.starts_with("STEPWELL_TEST_")
}

fn nearest(name: &str, known: &[String]) -> String {
    let last = name.rsplit('_').next().unwrap_or(name);
    known
        .iter()
        .find(|candidate| candidate.ends_with(last))
        .map(|candidate| format!(" (is {candidate} meant?)"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use clap::CommandFactory;

    use super::refuse_unknown;
    use crate::cli::Cli;
    use crate::config::File;

    fn check(name: &str, value: &str) -> Result<(), String> {
        let variables = [(name.to_owned(), value.to_owned())];
        refuse_unknown(&Cli::command(), variables.into_iter()).map_err(|mistake| mistake.0)
    }

    #[test]
    fn known_variables_and_those_of_others_pass() {
        assert_eq!(check("STEPWELL_HTTP_PORT", "1"), Ok(()));
        assert_eq!(check("STEPWELL_WORKER_HEARTBEAT_MS", "1"), Ok(()));
        assert_eq!(check("HOME", "/"), Ok(()));
    }

    #[test]
    fn service_links_of_kubernetes_pass() {
        assert_eq!(check("STEPWELL_PORT", "tcp://10.0.0.1:80"), Ok(()));
        assert_eq!(check("STEPWELL_SERVICE_HOST", "10.0.0.1"), Ok(()));
    }

    #[test]
    fn an_unknown_variable_is_refused_with_a_hint() {
        let text = check("STEPWELL_PORT", "8080").err().unwrap_or_default();
        assert!(text.contains("STEPWELL_HTTP_PORT"), "{text}");
        assert!(check("STEPWELL_NONSENSE", "1").is_err());
    }

    /// Variable and flag of every setting.
    fn settings() -> BTreeMap<String, String> {
        fn collect(command: &clap::Command, settings: &mut BTreeMap<String, String>) {
            for argument in command.get_arguments() {
                if let (Some(name), Some(flag)) = (argument.get_env(), argument.get_long()) {
                    settings.insert(name.to_string_lossy().into_owned(), format!("--{flag}"));
                }
            }
            for inner in command.get_subcommands() {
                collect(inner, settings);
            }
        }
        let mut settings = BTreeMap::new();
        collect(&Cli::command(), &mut settings);
        settings
    }

    #[test]
    fn the_example_documents_every_variable_and_none_more() {
        let documented: BTreeSet<&str> = include_str!("../../.env.example")
            .lines()
            .filter_map(|line| line.strip_prefix('#')?.split_once('='))
            .map(|(name, _)| name)
            .filter(|name| name.bytes().all(|c| c.is_ascii_uppercase() || c == b'_'))
            .collect();
        let settings = settings();
        let known: BTreeSet<&str> = settings.keys().map(String::as_str).collect();
        assert_eq!(documented, known, ".env.example and the code differ");
    }

    #[test]
    fn the_manual_documents_every_setting_and_none_more() {
        let rows: Vec<Vec<&str>> = include_str!("../../docs/operations.md")
            .lines()
            .filter(|line| line.starts_with("| `STEPWELL_") || line.starts_with("| `DATABASE_"))
            .map(|line| {
                line.split('|')
                    .map(|cell| cell.trim().trim_matches('`'))
                    .collect()
            })
            .collect();
        let documented: BTreeMap<String, String> = rows
            .iter()
            .map(|cells| (cells[1].to_owned(), cells[2].to_owned()))
            .collect();
        assert_eq!(
            documented,
            settings(),
            "docs/operations.md and the code differ"
        );
        for cells in rows {
            // A value of a wrong type is another error than a key that nobody knows.
            let Some((section, key)) = cells[3].split_once('.') else {
                continue;
            };
            let text = format!("[{section}]\n{key} = {{}}\n");
            let error = toml::from_str::<File>(&text)
                .err()
                .map(|error| error.to_string());
            let error = error.unwrap_or_default();
            assert!(!error.contains("unknown field"), "{}: {error}", cells[3]);
        }
    }
}
