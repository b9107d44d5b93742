//! Writes the commit into the binary: `STEPWELL_COMMIT` if set (a build without the repository),
//! else what git says, else `unknown`. Compiles the gRPC contract, with no program of another's.

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

/// The contract, below `proto/`.
const CONTRACT: &str = "stepwell/v1/workflow.proto";

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// Makes the messages, the service, and the descriptors that reflection tells of.
fn compile_contract() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_file(CONTRACT)?;
    std::fs::write(
        out.join("stepwell_v1.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    tonic_prost_build::configure()
        // In order, so that one message is written in one way only.
        .btree_map(".")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    compile_contract()?;
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
        println!("cargo::rerun-if-changed=proto");
        for file in ["HEAD", "logs/HEAD"] {
            if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", file]) {
                println!("cargo::rerun-if-changed={path}");
            }
        }
    }
    Ok(())
}
