//! What the caller wants: to measure, or to draw what was measured.

use std::path::PathBuf;
use std::time::Duration;

pub(crate) const USAGE: &str = "\
usage: ./dev bench [OPTIONS]             measures
       ./dev bench plots FILE… --out DIR  draws what --json wrote, without measuring

  --workloads LIST  of Q1,Q2,W1,W1x2,W2,W3,H1,E1 (all of these when nothing is said)
                    and the long ones H2,R1,S1,S2,L1, which are run in a short form
  --full            the long ones too unless --workloads says otherwise, and in their whole length
  --reps N          repetitions (3)
  --scale X         the share of each workload's size and time (1.0)
  --limit           also measures the same rows written by nothing but arrays, and prints ratios to it
  --json FILE       writes what was measured
  --plots DIR       draws it as SVG
  --peers DIR       also runs the harness of that directory with Stepwell in it, and prints ratios
  --against LIST    of its peers (all of them when nothing is said)
  --peers-only      that and nothing else
  --no-install      without its install.sh: what it needs is there";

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task {
    Measure(Arguments),
    Plots { files: Vec<PathBuf>, out: PathBuf },
    Help,
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) workloads: Vec<Workload>,
    pub(crate) extent: Extent,
    pub(crate) limit: bool,
    pub(crate) json: Option<PathBuf>,
    pub(crate) plots: Option<PathBuf>,
    pub(crate) peers: Option<Peers>,
}

/// The harness that measures others.
#[derive(Debug)]
pub(crate) struct Peers {
    pub(crate) directory: PathBuf,
    pub(crate) against: Vec<String>,
    pub(crate) install: bool,
    /// Nothing else is measured.
    pub(crate) only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    Q1,
    Q2,
    W1,
    W1x2,
    W2,
    W3,
    H1,
    E1,
    H2,
    R1,
    S1,
    S2,
    L1,
}

impl Workload {
    pub(crate) const SHORT: &[Self] = &[
        Self::Q1,
        Self::Q2,
        Self::W1,
        Self::W1x2,
        Self::W2,
        Self::W3,
        Self::H1,
        Self::E1,
    ];
    const LONG: &[Self] = &[Self::H2, Self::R1, Self::S1, Self::S2, Self::L1];

    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }

    fn named(name: &str) -> Result<Self, String> {
        let mut all = Self::SHORT.iter().chain(Self::LONG);
        all.find(|workload| workload.name() == name)
            .copied()
            .ok_or_else(|| format!("there is no workload {name:?}"))
    }
}

/// How much of each workload is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// The share of the size and the time.
    pub(crate) scale: f64,
    /// The long workloads in their whole length.
    pub(crate) full: bool,
    pub(crate) repetitions: usize,
}

/// The least that a rate can be told from.
pub(crate) const TIME_MIN: Duration = Duration::from_secs(2);

impl Extent {
    pub(crate) fn count(self, full: f64) -> usize {
        (full * self.scale).round().max(1.0) as usize
    }

    pub(crate) fn time(self, short: Duration, whole: Duration) -> Duration {
        let time = if self.full { whole } else { short };
        time.mul_f64(self.scale).max(TIME_MIN)
    }
}

/// Reads the words after the program's name.
pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Task, String> {
    // What `cargo bench` adds.
    let mut words = words.filter(|word| word != "--bench").peekable();
    match words.peek().map(String::as_str) {
        Some("plots") => plots(words.skip(1)),
        Some("help" | "-h" | "--help") => Ok(Task::Help),
        _ => measure(words).map(Task::Measure),
    }
}

fn plots(mut words: impl Iterator<Item = String>) -> Result<Task, String> {
    let (mut files, mut out) = (Vec::new(), None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--out" => out = Some(words.next().ok_or("--out needs a directory")?.into()),
            _ if word.starts_with('-') => return Err(unknown(&word)),
            _ => files.push(word.into()),
        }
    }
    if files.is_empty() {
        return Err("plots needs the files that --json wrote".to_owned());
    }
    let out = out.ok_or("plots needs --out DIR")?;
    Ok(Task::Plots { files, out })
}

fn measure(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut workloads, mut against) = (None, Vec::new());
    let (mut repetitions, mut scale) = (3, 1.0);
    let (mut full, mut limit, mut only, mut install) = (false, false, false, true);
    let (mut json, mut draw, mut directory) = (None, None, None);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--workloads" => {
                let named: Result<Vec<_>, _> = value()?.split(',').map(Workload::named).collect();
                workloads = Some(named?);
            }
            "--reps" => repetitions = number(&word, &value()?)?,
            "--scale" => scale = number(&word, &value()?)?,
            "--full" => full = true,
            "--limit" => limit = true,
            "--json" => json = Some(value()?.into()),
            "--plots" => draw = Some(value()?.into()),
            "--peers" => directory = Some(value()?.into()),
            "--against" => against = value()?.split(',').map(ToOwned::to_owned).collect(),
            "--peers-only" => only = true,
            "--no-install" => install = false,
            _ => return Err(unknown(&word)),
        }
    }
    if repetitions == 0 {
        return Err("--reps must be 1 or more".to_owned());
    }
    if !(scale > 0.0 && scale <= 100.0) {
        return Err("--scale must be above 0 and at most 100".to_owned());
    }
    if directory.is_none() && (only || !install || !against.is_empty()) {
        return Err("--against, --peers-only and --no-install go with --peers DIR".to_owned());
    }
    let standard = if full {
        [Workload::SHORT, Workload::LONG].concat()
    } else {
        Workload::SHORT.to_vec()
    };
    Ok(Arguments {
        workloads: workloads.unwrap_or(standard),
        extent: Extent {
            scale,
            full,
            repetitions,
        },
        limit,
        json,
        plots: draw,
        peers: directory.map(|directory| Peers {
            directory,
            against,
            install,
            only,
        }),
    })
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{option} needs a number, not {text:?}"))
}

fn unknown(word: &str) -> String {
    format!("{word:?} is not understood")
}
