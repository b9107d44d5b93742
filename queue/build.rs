//! Embeds the way back (U files) of every migration, and rebuilds when a migration is added.

#![allow(clippy::print_stdout, reason = "so a build script speaks to cargo")]

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=../migrations");
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let folder = Path::new(&root).join("../migrations").canonicalize()?;
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        println!("cargo::rerun-if-changed=../migrations/{name}");
        let version = name
            .strip_prefix('U')
            .and_then(|rest| rest.split_once("__"))
            .and_then(|(version, _)| version.parse::<i32>().ok());
        if let Some(version) = version {
            files.push((version, folder.join(name)));
        }
    }
    files.sort();
    let mut code = String::from("pub(super) static MIGRATIONS: &[(i32, &str)] = &[\n");
    for (version, path) in files {
        // The text itself: the folder may be gone when what was built here is used elsewhere.
        let sql = fs::read_to_string(path)?;
        writeln!(code, "    ({version}, {sql:?}),").map_err(io::Error::other)?;
    }
    code.push_str("];\n");
    fs::write(Path::new(&out).join("back.rs"), code)
}
