//! The work that agents do: versions of a workflow, a failure, a retry from there, a cancel.

use serde_json::{Value, json};

use super::{AGENTS, Company};
use crate::detached::callback;
use crate::harness::{PATIENCE, Reply, shows, until};

fn step(agent: &str) -> Value {
    let config = json!({"agent": agent, "input": {"user": "${input.user}"}});
    json!({"name": agent, "type": "agent", "config": config})
}

impl Company {
    pub(super) async fn makes_two_versions_of_a_workflow(&self) {
        let mut steps = AGENTS.map(|(name, ..)| step(name)).to_vec();
        self.api.workflow("round", json!(steps)).await;
        self.api.agent("pack", &self.agents.url("/pack")).await;
        steps.push(step("pack"));
        let newer = json!({"name": "round", "steps": steps});
        self.api.put("workflows/round", newer).await.of(200);
        let versions = self.api.read("workflows/round/versions").await;
        assert_eq!(versions.each("version"), [2, 1]);
        // The first is there still, and can be run.
        let order = json!({"version": 1, "input": {"user": "Ada"}});
        let path = "workflows/round/execute?wait_ms=40000";
        let run = self.api.post(path, order).await.of(200).body;
        let output = json!({"by": "basic", "got": {"user": "Ada"}});
        shows(
            &run,
            json!({"status": "completed", "version": 1, "output": output}),
        );
    }

    /// How often each agent of the second version was called.
    fn counts(&self) -> [usize; 5] {
        ["/none", "/bearer", "/api_key", "/basic", "/pack"]
            .map(|path| self.agents.calls(path).len())
    }

    pub(super) async fn executes_the_second_which_fails(&self) -> String {
        let broken = Reply::Json(400, json!({"error": "out of tape"}));
        self.agents.on("/pack", move |_| broken.clone());
        let run = self.api.execute("round", json!({"user": "Ada"})).await;
        shows(&run, json!({"status": "failed", "version": 2}));
        assert_eq!(run["error"]["step"], "pack", "{run}");
        assert_eq!(self.counts(), [2, 2, 2, 2, 1]);
        run["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn retries_it_from_the_step_that_failed(&self, run: &str) {
        let path = format!("runs/{run}/retry");
        let kept = self.api.steps(run).await[..4].to_vec();
        let nowhere = json!({"from_step": "nowhere"});
        self.api.post(&path, nowhere).await.problem(422);
        self.agents.on("/pack", |_| Reply::ok());
        let pack = json!({"from_step": "pack"});
        self.api.post(&path, pack).await.of(202);
        let done = until("the retried run is over", PATIENCE, async || {
            let run = self.api.run(run).await;
            (run["generation"] == 2 && run["finished_at"].is_string()).then_some(run)
        })
        .await;
        shows(&done, json!({"status": "completed", "error": null}));
        assert_eq!(self.counts(), [2, 2, 2, 2, 2], "only what failed");
        assert_eq!(self.api.steps(run).await[..4], kept[..]);
        let again = &self.agents.calls("/pack")[1];
        assert_eq!(again.header("idempotency-key"), format!("{run}/pack/2"));
        self.api.post(&path, json!({})).await.problem(409);
    }

    pub(super) async fn hears_from_a_slow_agent(&self) -> String {
        self.agents.on("/slow", |_| Reply::Never);
        self.api
            .workflow("nap", json!([step("slow"), step("none")]))
            .await;
        let run = self.api.start("nap", json!({"user": "Ada"})).await;
        let path = callback(&self.agents, "/slow", 1).await + "/logs";
        let lines = json!([{"level": "info", "message": "lying down"},
            {"level": "warn", "message": "snoring"}]);
        self.api.post(&path, json!({"lines": lines})).await.of(200);
        let log = async |query: &str| {
            let list = self.api.read(&format!("runs/{run}/logs{query}")).await;
            list.each("message")
        };
        assert_eq!(log("").await, ["lying down", "snoring"]);
        assert_eq!(log("?step=slow&level=warn").await, ["snoring"]);
        assert!(log("?step=none").await.is_empty());
        run
    }

    pub(super) async fn cancels_it(&self, run: &str) {
        let path = format!("runs/{run}/cancel");
        let reason = json!({"reason": "time to get up"});
        self.api.post(&path, reason.clone()).await.of(202);
        self.agents.aborted("/slow", 1).await;
        let told = self.agents.called(&format!("/slow/runs/{run}"), 1).await;
        assert_eq!(told.method, "DELETE");
        let over = self.api.finished(run).await;
        shows(
            &over,
            json!({"status": "cancelled", "cancel_reason": reason["reason"]}),
        );
        let steps = self.api.statuses(run).await;
        assert_eq!(steps, ["slow=cancelled", "none=skipped"]);
        self.api.post(&path, json!({})).await.of(200);
    }
}
