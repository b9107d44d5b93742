//! The cluster is made once, beside its final place, and moved there when it is whole: a first start
//! that is killed leaves nothing half-made behind.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::Home;
use super::access::Access;
use super::account::Account;
use super::binaries::Binaries;
use super::command::command;
use super::home::write_secret;

/// The role and the database.
pub(crate) const NAME: &str = "stepwell";

/// The major version of the cluster that is there, if there is one.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn major(home: &Home) -> anyhow::Result<Option<u32>> {
    let path = home.cluster().join("PG_VERSION");
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let major = text
        .trim()
        .parse()
        .with_context(|| format!("{} does not hold a version", path.display()))?;
    Ok(Some(major))
}

/// Makes the cluster unless it is there.
///
/// # Errors
/// With what `initdb` or `postgres` said.
pub(crate) async fn create(
    home: &Home,
    binaries: &Binaries,
    account: Option<&Account>,
) -> anyhow::Result<()> {
    if major(home)?.is_some() {
        return Ok(());
    }
    tracing::info!(
        directory = %home.path().display(),
        postgres = binaries.major,
        "making a private Postgres"
    );
    let access = Access::load_or_make(home)?;
    let (plan, account) = (Plan::new(home, binaries), account.cloned());
    tokio::task::spawn_blocking(move || plan.carry_out(&access, account.as_ref()))
        .await
        .context("making the cluster was cut off")?
}

struct Plan {
    building: std::path::PathBuf,
    cluster: std::path::PathBuf,
    binaries: Binaries,
    ephemeral: bool,
}

impl Plan {
    fn new(home: &Home, binaries: &Binaries) -> Self {
        Self {
            building: home.path().join("postgres.new"),
            cluster: home.cluster(),
            binaries: binaries.clone(),
            ephemeral: home.ephemeral(),
        }
    }

    fn carry_out(&self, access: &Access, account: Option<&Account>) -> anyhow::Result<()> {
        if self.building.exists() {
            std::fs::remove_dir_all(&self.building).context("cannot remove a half-made cluster")?;
        }
        std::fs::create_dir(&self.building)
            .with_context(|| format!("cannot make {}", self.building.display()))?;
        if let Some(account) = account {
            account.own(&self.building)?;
        }
        self.initdb(access, account)?;
        self.create_database(account)?;
        std::fs::rename(&self.building, &self.cluster)
            .context("cannot move the cluster to its place")
    }

    fn initdb(&self, access: &Access, account: Option<&Account>) -> anyhow::Result<()> {
        let password = self.building.with_extension("password");
        write_secret(&password, access.password())?;
        if let Some(account) = account {
            account.own(&password)?;
        }
        let mut command = command(self.binaries.initdb(), account);
        command
            .arg("-D")
            .arg(&self.building)
            .args(["--username", NAME, "--encoding=UTF8", "--locale=C"])
            .args(["--auth=scram-sha-256", "--data-checksums"])
            .arg(format!("--pwfile={}", password.display()));
        if self.ephemeral {
            // Thrown away at the end: only making it is hastened, not what it promises afterwards.
            command.arg("--no-sync");
        }
        let outcome = self.run(&mut command, None);
        std::fs::remove_file(&password).context("cannot remove the password file")?;
        outcome
    }

    /// Single-user mode needs neither a running server nor a client.
    fn create_database(&self, account: Option<&Account>) -> anyhow::Result<()> {
        let mut command = command(self.binaries.postgres(), account);
        command.arg("--single").arg("-D").arg(&self.building);
        // In single-user mode an error does not end the process.
        command.args(["-c", "exit_on_error=on", "postgres"]);
        self.run(&mut command, Some(&format!("create database {NAME}\n")))
    }

    fn run(&self, command: &mut Command, input: Option<&str>) -> anyhow::Result<()> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .current_dir(&self.building)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin
                .write_all(input.unwrap_or_default().as_bytes())
                .with_context(|| format!("{name} did not listen"))?;
        }
        let output = child
            .wait_with_output()
            .with_context(|| format!("cannot wait for {name}"))?;
        if !output.status.success() {
            bail!(
                "{name} failed ({}):\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }
}
