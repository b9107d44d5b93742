//! Every act is played once without harm, to know which process sends what.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use tokio::sync::OnceCell;

use super::acts::{ACTS, Act};
use super::cases::{judged, prepare, settles};
use super::stage::{Role, Stage};
use crate::harness::Seen;

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

    async fn take() -> Self {
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
        let mut seen: BTreeMap<_, Vec<Act>> = BTreeMap::new();
        for (act, found) in ACTS.iter().zip(found.into_inner().unwrap()) {
            for statement in found {
                seen.entry((act.role, statement)).or_default().push(*act);
            }
        }
        Self { seen }
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
