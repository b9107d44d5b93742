//! `stepwell completions`: what a shell needs to complete our commands and flags.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, print};

const NAME: &str = "stepwell";

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell: `stepwell completions bash > /etc/bash_completion.d/stepwell`.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut offered(), NAME, &mut script);
        print::line(String::from_utf8(script)?.trim_end());
        Ok(())
    }
}

/// The command line without what is not for people: the generators would offer that as well, and a
/// command cannot forget one of its own, so another is made of the rest.
fn offered() -> clap::Command {
    let whole = Cli::command();
    let shown = whole.get_subcommands().filter(|inner| !inner.is_hide_set());
    clap::Command::new(NAME)
        .args(whole.get_arguments().cloned())
        .subcommands(shown.cloned())
}
