//! psql as a program: what it prints, and what it says went wrong.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::{Database, server};

/// One database, as one role sees it.
#[derive(Clone, Debug)]
pub(crate) struct Psql {
    url: String,
    /// What each session begins with.
    before: String,
}

/// An error as psql tells it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) state: String,
    pub(crate) message: String,
    pub(crate) detail: String,
    pub(crate) hint: String,
}

impl Psql {
    pub(crate) fn new(database: &Database) -> Self {
        Self {
            url: database.url.clone(),
            before: String::new(),
        }
    }

    /// The same database under another address.
    pub(crate) fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            before: String::new(),
        }
    }

    /// Every session begins with this statement.
    pub(crate) fn after(&self, statement: &str) -> Self {
        Self {
            url: self.url.clone(),
            before: format!("{}{statement};\n", self.before),
        }
    }

    /// Runs a script; gives what it prints, without the last line's end.
    ///
    /// # Panics
    /// When a statement is refused.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> String {
        let (output, errors, done) = self.try_script(script);
        assert!(done, "{script}\n{errors}");
        output
    }

    /// Runs a script whose last statement is refused.
    #[track_caller]
    pub(crate) fn refused(&self, script: &str) -> Refusal {
        let (output, errors, done) = self.try_script(script);
        assert!(!done, "not refused: {script}\n{output}");
        Refusal::read(&errors)
    }

    fn try_script(&self, script: &str) -> (String, String, bool) {
        let program = server::bin().join("psql");
        let mut child = Command::new(&program)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args(["-v", "VERBOSITY=verbose", "-v", "SHOW_CONTEXT=never"])
            .args(["-d", &self.url, "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "psql is needed for these tests: {}: {error}",
                    program.display()
                )
            });
        let mut input = child.stdin.take().unwrap();
        let text = format!(
            "set client_min_messages = warning;\n{}{script}\n",
            self.before
        );
        let writer = std::thread::spawn(move || {
            // psql stops reading at the first error.
            let _ = input.write_all(text.as_bytes());
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        (
            text(&output.stdout),
            text(&output.stderr),
            output.status.success(),
        )
    }
}

impl Refusal {
    fn read(errors: &str) -> Self {
        let mut parts = [("ERROR", ""), ("DETAIL", ""), ("HINT", "")]
            .map(|(name, text)| (name, text.to_owned()));
        let mut current = None;
        for line in errors.lines() {
            let line = line
                .split_once(": ERROR: ")
                .map_or_else(|| line.to_owned(), |(_, rest)| format!("ERROR: {rest}"));
            let begins = parts
                .iter()
                .position(|(name, _)| line.starts_with(&format!("{name}: ")));
            if line.starts_with("LOCATION: ") || line.starts_with("LINE ") {
                current = None;
            } else if let Some(found) = begins {
                current = Some(found);
                line.split_once(": ")
                    .unwrap()
                    .1
                    .trim()
                    .clone_into(&mut parts[found].1);
            } else if let Some(found) = current {
                parts[found].1.push('\n');
                parts[found].1.push_str(&line);
            }
        }
        let [error, detail, hint] = parts.map(|(_, text)| text);
        let (state, message) = error
            .split_once(": ")
            .unwrap_or_else(|| panic!("no error: {errors}"));
        Self {
            state: state.to_owned(),
            message: message.to_owned(),
            detail,
            hint,
        }
    }

    /// Fails unless it is this kind of error, and message and detail hold these words.
    #[track_caller]
    pub(crate) fn is(&self, state: &str, words: &[&str]) -> &Self {
        assert_eq!(self.state, state, "{self:?}");
        for word in words {
            assert!(
                self.message.contains(word) || self.detail.contains(word),
                "{word:?} is not in {self:?}"
            );
        }
        self
    }
}
