//! Waits for whatever comes next: an outcome, a message, a timer, or the worker's end.
use stepwell_queue::clock;
use stepwell_workflow::Event;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::elsewhere::add_policies;
use super::flights::Landed;
use super::{Driver, UNWATCHED_MAX};

/// What came.
enum News {
    Landed(Landed),
    /// There may be messages.
    Poked,
    /// An attempt has lingered, or a timer of the run is due.
    Time,
    Drain,
    GiveBack,
}

impl Driver {
    /// Waits for the next event and takes it in.
    pub(crate) async fn wait(&mut self) {
        self.listen();
        let news = self.next_news().await;
        self.spent = 0;
        match news {
            News::Landed(landed) => self.landed.push_back(landed),
            News::Poked => self.read_inbox().await,
            News::Time => self.time_passed(),
            News::Drain => self.state.draining = true,
            News::GiveBack => {
                self.state.draining = true;
                for key in self.flights.abort_all() {
                    self.take_in(Event::GivenBack { key, begun: true });
                }
            }
        }
    }

    async fn next_news(&mut self) -> News {
        let alarm = self.alarm();
        let draining = self.state.draining;
        let flying = !self.flights.is_empty();
        let stages = &self.context.stages;
        tokio::select! {
            biased;
            landed = self.flights.next(), if flying => News::Landed(landed),
            () = poked(&mut self.inbox) => News::Poked,
            () = stages.give_back.cancelled(), if flying => News::GiveBack,
            () = stages.drain.cancelled(), if !draining => News::Drain,
            () = ring(alarm) => News::Time,
        }
    }

    /// Returns when to look at the clock again.
    fn alarm(&mut self) -> Option<Instant> {
        let wake = self.state.next_wake().map(|at| {
            let wait = (at - clock::now()).to_std().unwrap_or_default();
            Instant::now() + wait
        });
        // A stopping worker starts nothing, so what could begin at once is not worth an alarm.
        let wake = wake.filter(|_| !self.state.draining);
        wake.into_iter().chain(self.flights.next_linger()).min()
    }

    fn time_passed(&mut self) {
        for (key, agent_policy) in self.flights.lingered(Instant::now()) {
            self.take_in(Event::Linger { key, agent_policy });
        }
        if self.state.next_wake().is_some_and(|at| at <= clock::now()) {
            self.idle_ticks += u32::from(self.flights.is_empty());
            self.take_in(Event::Tick);
        }
    }

    /// Watches the inbox, once that may matter.
    pub(super) fn listen(&mut self) {
        if self.inbox.is_none() {
            let run_id = self.origin.run_id;
            self.inbox = Some(self.context.worker.watch_inbox(run_id));
        }
    }

    /// A run that always has something to do never waits; it looks at its inbox between commits.
    pub(super) fn listen_if_long(&mut self) {
        if self.begun.elapsed() >= UNWATCHED_MAX {
            self.listen();
        }
    }

    /// Says whether messages may have come while the driver was busy.
    pub(super) fn was_poked(&mut self) -> bool {
        let inbox = self.inbox.as_mut();
        inbox.is_some_and(|inbox| inbox.try_recv().is_ok())
    }

    /// Reads the inbox and takes in what is new. If the database does not answer, the next poke
    /// asks again.
    pub(super) async fn read_inbox(&mut self) {
        let run_id = self.origin.run_id;
        // Boxed: it is seldom needed, and would make every driver several times larger.
        match Box::pin(self.context.store.messages(&[run_id])).await {
            Ok(messages) => {
                let mut messages: Vec<_> = messages.into_iter().map(|(_, m)| m).collect();
                let (context, plan) = (&self.context, &self.plan);
                Box::pin(add_policies(context, plan, &mut messages)).await;
                for message in messages {
                    if !self.undone.consumed.contains(&message.id) {
                        self.hear(message);
                    }
                }
                self.begin();
            }
            Err(error) => tracing::debug!(%error, "the inbox could not be read yet"),
        }
    }
}

/// Ends when the inbox may hold messages; never, when it is not watched any more.
async fn poked(inbox: &mut Option<mpsc::Receiver<()>>) {
    if let Some(watched) = inbox
        && watched.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

async fn ring(alarm: Option<Instant>) {
    match alarm {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
