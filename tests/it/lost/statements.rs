//! The statements of the product, from where they are checked, and those that no act sends.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::wire::statement::plain;

/// Statements that the walk does without: a part of each, and why.
pub(super) const EXCUSED: &[(&str, &str)] = &[];

/// Every statement that the sources have, as it is sent.
pub(super) fn all() -> BTreeSet<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let files = std::fs::read_dir(directory).unwrap();
    let query = |entry: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let described: serde_json::Value = serde_json::from_str(&text).unwrap();
        plain(described["query"].as_str().unwrap())
    };
    files.map(query).collect()
}
