//! `stepwell completions`: what a shell needs to complete our commands and flags.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, print};

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell: `stepwell completions bash > /etc/bash_completion.d/stepwell`.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "stepwell", &mut script);
        print::line(String::from_utf8(script)?.trim_end());
        Ok(())
    }
}
