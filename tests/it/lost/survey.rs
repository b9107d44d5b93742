//! Every act is played once without harm, to know which process sends what.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use tokio::sync::OnceCell;

use super::acts::{ACTS, Act};
use super::cases::{judged, prepare, settles};
use super::stage::{Role, Stage};
use super::statements;
use crate::harness::Seen;

/// So often the acts are played for what comes by chance.
const ROUNDS_MAX: usize = 5;

static SURVEY: OnceCell<Survey> = OnceCell::const_new();

/// What was seen, by who sends it, and the acts in which it does.
pub(super) struct Survey {
    pub(super) seen: BTreeMap<(Role, Seen), Vec<Act>>,
}

impl Survey {
    /// Takes it, or waits for who does.
    pub(super) async fn taken() -> &'static Self {
        SURVEY.get_or_init(Self::take).await
    }

    /// Every act is played, and again while statements are missing: some come by chance, such as those that the
    /// process under test sends only where it comes before another one.
    async fn take() -> Self {
        let mut survey = Self {
            seen: BTreeMap::new(),
        };
        for _ in 0..ROUNDS_MAX {
            survey.play().await;
            if survey.missing().is_empty() {
                break;
            }
        }
        survey
    }

    /// The statements of the product that were neither seen nor are excused.
    pub(super) fn missing(&self) -> Vec<String> {
        let seen: BTreeSet<_> = self.seen.keys().map(|(_, seen)| &seen.text).collect();
        let all = statements::all().into_iter();
        all.filter(|text| !seen.contains(text) && !statements::is_excused(text))
            .collect()
    }

    async fn play(&mut self) {
        let found = std::sync::Mutex::new(vec![BTreeSet::new(); ACTS.len()]);
        let plays = ACTS.iter().enumerate().map(|(place, act)| {
            let name = format!("{:?} {}", act.role, act.name);
            let found = &found;
            judged(name, async move {
                let seen = played(*act).await;
                found.lock().unwrap()[place] = seen;
            })
        });
        let faults: Vec<_> = join_all(plays).await.into_iter().flatten().collect();
        assert!(
            faults.is_empty(),
            "unharmed, these acts fail:\n{}",
            faults.join("\n")
        );
        for (act, found) in ACTS.iter().zip(found.into_inner().unwrap()) {
            for statement in found {
                let acts = self.seen.entry((act.role, statement)).or_default();
                if !acts.iter().any(|known| known.name == act.name) {
                    acts.push(*act);
                }
            }
        }
    }
}

async fn played(act: Act) -> BTreeSet<Seen> {
    let mut stage = Stage::bare(act.role).await;
    prepare(&stage, act).await;
    stage.begin().await;
    stage.ready().await;
    // Traps are set from here on, but for acts that are about the start.
    if !act.early {
        stage.wire.forget();
    }
    (act.play)(&stage).await;
    settles(&stage).await;
    let seen = stage.wire.seen();
    stage.finish().await;
    seen
}
