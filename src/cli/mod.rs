//! The command line: what is asked, and the code that the process ends with: 0, 1 failed, 2 usage.

mod api;
mod apply;
mod bench;
mod client;
mod completions;
mod doctor;
mod health;
mod key;
mod measure;
mod migrate;
mod openapi;
mod parts;
mod postgres;
mod print;
mod pulse;
mod refused;
mod run;
mod secret;
mod up;
mod version;
mod watch;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches as _, Parser, Subcommand};

use crate::config::{File, Mistake, environment, log};
use crate::{embedded, telemetry};

/// Exit code of a wrong argument or setting, as clap's own.
const USAGE: u8 = 2;

/// Durable workflows on plain PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "stepwell", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// The file of settings [default: stepwell.toml, if there is one].
    #[arg(long, env = "STEPWELL_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Answer in JSON, and say errors in JSON too.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    log: log::Layer,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process: database (unless DATABASE_URL names one), API and a worker.
    Up(Box<up::Up>),
    /// Run the API alone.
    Api(Box<api::Api>),
    /// Run a worker alone.
    Worker(Box<worker::Work>),
    /// Change the schema's version, or tell it.
    Migrate(migrate::Migrate),
    /// Create or update agents and workflows from JSON files; applying twice changes nothing.
    Apply(apply::Apply),
    /// Start runs, look at them, cancel and retry them.
    Run(run::Run),
    /// Look at all that Stepwell rests on, and say what to do about what is not well.
    Doctor(doctor::Doctor),
    /// Ask a running process how it is; the exit code is 0 only when it is well.
    Health(health::Health),
    /// Print a script that lets a shell complete commands and flags.
    Completions(completions::Completions),
    /// Measure what this machine and its Postgres give: a private one, unless DATABASE_URL names another.
    Bench(Box<bench::Bench>),
    /// Make, list and revoke keys of the API, in the database itself.
    Key(key::KeyCommand),
    /// Encrypt what is secret anew, under another master key.
    Secret(secret::Secret),
    /// Print the OpenAPI document of the API.
    Openapi,
    /// Run the private Postgres alone, for tests and tools.
    Postgres(postgres::Postgres),
    /// Print the version.
    Version,
    #[command(hide = true)]
    PostgresGuard(embedded::guard::Guard),
}

/// What every command is given besides its own arguments.
struct Given {
    file: File,
    json: bool,
}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    if let Command::PostgresGuard(guard) = cli.command {
        return guard.run();
    }
    let json = cli.json;
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::error(&error, json);
            if is_usage(&error) {
                ExitCode::from(USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Reads the arguments, and the variables that stand for some of them.
fn parse() -> Result<Cli, clap::Error> {
    let mut command = environment::without_empty(Cli::command());
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Prints what clap has to say instead of a command: help, or what is wrong.
fn unparsed(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.exit();
    }
    // Nothing is known but the words themselves.
    if std::env::args_os().any(|word| word == "--json") {
        let words = error.to_string();
        print::usage(words.trim().trim_start_matches("error: "), true);
        return ExitCode::from(USAGE);
    }
    error.exit()
}

/// Whether the mistake is one of whoever gave the arguments, also where only the server can tell.
fn is_usage(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<refused::Refused>();
    error.downcast_ref::<Mistake>().is_some() || refused.is_some_and(refused::Refused::is_usage)
}

fn start(cli: Cli) -> anyhow::Result<()> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name, value.to_string_lossy().into_owned()))
    });
    environment::refuse_unknown(&Cli::command(), variables)?;
    let mut file = File::read(cli.config)?;
    let log = cli.log.over(std::mem::take(&mut file.log)).resolve();
    telemetry::install(&log)?;
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("another provider of cryptography is installed already");
    }
    let given = Given {
        file,
        json: cli.json,
    };
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(carry_out(cli.command, given))
}

async fn carry_out(command: Command, given: Given) -> anyhow::Result<()> {
    match command {
        Command::Up(up) => Box::pin(up.run(given)).await,
        Command::Api(api) => Box::pin(api.run(given)).await,
        Command::Worker(worker) => Box::pin(worker.run(given)).await,
        Command::Migrate(migrate) => migrate.run(given).await,
        Command::Apply(apply) => apply.run(given).await,
        Command::Run(run) => run.run(given).await,
        Command::Doctor(doctor) => doctor.run(given).await,
        Command::Bench(bench) => Box::pin(bench.run(given)).await,
        Command::Health(health) => health.run(given).await,
        Command::Completions(completions) => completions.run(),
        Command::Key(key) => key.run(given).await,
        Command::Secret(secret) => secret.run(given).await,
        Command::Openapi => openapi::run(),
        Command::Postgres(postgres) => postgres.run(given).await,
        Command::Version => version::run(given.json),
        Command::PostgresGuard(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        super::Cli::command().debug_assert();
    }
}
