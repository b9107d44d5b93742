//! The house rules that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a source file may have. Above it a file is about more than one thing.
const LINES_MAX: usize = 400;
/// Files that may be longer, each with its reason.
const LONG: &[(&str, &str)] = &[
    (
        "workflow/src/expression/tests.rs",
        "one table of expressions and their values",
    ),
    (
        "workflow/src/validate/tests.rs",
        "one table of definitions and their findings",
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below these directories that ends so.
fn files(directories: &[&str], extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = directories.iter().map(|name| root().join(name)).collect();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

const SOURCES: &[&str] = &[
    "src",
    "workflow",
    "queue",
    "web",
    "tests",
    "examples",
    "benches",
    "migrations",
];

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn every_source_opens_with_what_it_believes() {
    let silent: Vec<_> = files(SOURCES, "rs")
        .iter()
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            !text.starts_with("//! ")
        })
        .map(|path| shown(path))
        .collect();
    assert!(silent.is_empty(), "open with `//!`: {silent:#?}");
}

#[test]
fn no_source_is_long() {
    let long: Vec<_> = files(SOURCES, "rs")
        .iter()
        .map(|path| {
            (
                shown(path),
                fs::read_to_string(path).unwrap().lines().count(),
            )
        })
        .filter(|(name, lines)| *lines > LINES_MAX && !LONG.iter().any(|(known, _)| known == name))
        .collect();
    assert!(long.is_empty(), "over {LINES_MAX} lines: {long:#?}");
}

#[test]
fn nothing_is_left_undone() {
    let words = [
        "TO".to_owned() + "DO",
        "FIX".to_owned() + "ME",
        "XX".to_owned() + "X",
        "HA".to_owned() + "CK",
    ];
    let macros = ["todo".to_owned() + "!(", "unimplemented".to_owned() + "!("];
    let mut left = Vec::new();
    for extension in ["rs", "sql", "toml", "md", "sh", "yml"] {
        let mut all = files(SOURCES, extension);
        all.extend(files(&["docs", "deploy"], extension));
        for path in all {
            if shown(&path).contains("assets/") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for (number, line) in text.lines().enumerate() {
                let is_word = |word: &String| {
                    line.split(|c: char| !c.is_alphanumeric())
                        .any(|part| part == word)
                };
                if words.iter().any(is_word) || macros.iter().any(|m| line.contains(m.as_str())) {
                    left.push(format!("{}:{}: {}", shown(&path), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn every_migration_has_its_way_back() {
    let names: Vec<String> = files(&["migrations"], "sql")
        .iter()
        .map(|p| shown(p))
        .collect();
    let of = |letter: char| -> Vec<&str> {
        let prefix = format!("migrations/{letter}");
        names
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix))
            .collect()
    };
    assert!(!of('V').is_empty());
    assert_eq!(of('V'), of('U'), "each V has a U of the same name");
    for (index, name) in sorted_numbers(&of('V')).into_iter().enumerate() {
        assert_eq!(name, index + 1, "numbers follow each other");
    }
}

fn sorted_numbers(names: &[&str]) -> Vec<usize> {
    let mut numbers: Vec<usize> = names
        .iter()
        .map(|name| {
            name.split("__")
                .next()
                .unwrap()
                .parse()
                .expect("V<number>__name.sql")
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn every_statement_in_a_file_is_used() {
    let sources: String = files(&["queue"], "rs")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let unused: Vec<_> = files(&["queue"], "sql")
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .filter(|name| !sources.contains(name.as_str()))
        .collect();
    assert!(unused.is_empty(), "{unused:#?}");
}

#[test]
fn statements_are_in_one_crate() {
    let outside: Vec<_> = files(&["src", "web/src", "workflow/src"], "rs")
        .iter()
        .filter(|path| fs::read_to_string(path).unwrap().contains("sqlx::"))
        .map(|path| shown(path))
        .collect();
    assert!(outside.is_empty(), "sqlx belongs to queue/: {outside:#?}");
}

#[test]
fn crates_import_one_way() {
    for (manifest, forbidden) in [
        (
            "workflow/Cargo.toml",
            &["tokio", "sqlx", "stepwell-queue", "stepwell-web", "reqwest"][..],
        ),
        (
            "queue/Cargo.toml",
            &["salvo", "tonic", "reqwest", "clap", "stepwell-web"],
        ),
        ("web/Cargo.toml", &["sqlx", "apalis", "refinery"]),
    ] {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        let dependencies = text.split("[dependencies]").nth(1).unwrap();
        let dependencies = dependencies.split("\n[").next().unwrap();
        for name in forbidden {
            let named = dependencies.lines().any(|line| {
                line.split(['.', ' ', '='])
                    .next()
                    .is_some_and(|found| found == *name)
            });
            assert!(!named, "{manifest} must not depend on {name}");
        }
    }
}

#[test]
fn names_say_what_they_hold() {
    let vague: Vec<_> = files(SOURCES, "rs")
        .iter()
        .map(|path| shown(path))
        .filter(|name| {
            name.split(['/', '.']).any(|part| {
                [
                    "utils", "util", "common", "helpers", "helper", "types", "models", "misc",
                ]
                .contains(&part)
            })
        })
        .collect();
    assert!(vague.is_empty(), "{vague:#?}");
}
