//! Writes the commit into the binary: `STEPWELL_COMMIT` if set (a build without the repository),
//! else what git says, else `unknown`.

use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn main() {
    let given = std::env::var("STEPWELL_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty());
    let commit = given
        .or_else(|| git(&["rev-parse", "--short=12", "HEAD"]))
        .unwrap_or_else(|| "unknown".into());
    // Build scripts speak to cargo by printing.
    #[allow(clippy::print_stdout, reason = "cargo reads it")]
    {
        println!("cargo::rustc-env=STEPWELL_COMMIT={commit}");
        println!("cargo::rerun-if-env-changed=STEPWELL_COMMIT");
        println!("cargo::rerun-if-changed=build.rs");
        for file in ["HEAD", "logs/HEAD"] {
            if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", file]) {
                println!("cargo::rerun-if-changed={path}");
            }
        }
    }
}
