//! Who writes workflows: makes tasks by number, in step or aside, follows a run over gRPC, changes a
//! task, and finds the change in every process at once.

use std::time::Duration;

use serde_json::{Value, json};
use stepwell_web::grpc::wire::ExecutionStatus::{Completed, Pending, Running};
use stepwell_web::grpc::wire::workflow_service_client::WorkflowServiceClient;
use stepwell_web::grpc::wire::{
    Execution, ExecutionStatus, ExecutionUpdate, GetWorkflowStatusRequest, step_update,
};
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::events::grpc::{connect, next, order, rest};
use crate::harness::{Agent, App, Client, Database, PATIENCE, Reply, shows, until};

/// A process that was not told would believe for five seconds what it remembers.
const AT_ONCE: Duration = Duration::from_secs(3);

const INPUT: &str = r#"{"user": "Ada"}"#;

/// The author speaks to one process, and looks through another, by REST and by gRPC.
struct Author {
    app: App,
    api: Client,
    other: Client,
    executions: WorkflowServiceClient<Channel>,
    services: Agent,
}

#[tokio::test]
async fn a_workflow_is_written_followed_and_changed() {
    let mut author = Author::begins().await;
    author.writes_the_tasks_one_by_one().await;
    author.follows_a_run_whose_mail_goes_out_aside().await;
    author.has_the_mail_sent_in_step().await;
    author.takes_the_mail_out().await;
    author.deletes_the_workflow().await;
    author.app.finish().await;
}

fn task(name: &str, sequence: u32, execution_type: &str) -> Value {
    json!({"name": name, "type": "agent", "sequence": sequence, "execution_type": execution_type,
           "config": {"agent": name, "input": {"for": "${input.user}"}}})
}

/// The steps that an update of the stream is about, as they completed.
fn completed(updates: &[ExecutionUpdate]) -> Vec<&str> {
    let steps = updates.iter().filter_map(|update| update.step.as_ref());
    steps
        .filter(|step| step.status() == step_update::Status::Completed)
        .map(|step| step.name.as_str())
        .collect()
}

/// What a client is shown: each status once, as it changes.
fn statuses(updates: &[ExecutionUpdate]) -> Vec<ExecutionStatus> {
    let mut statuses: Vec<_> = updates.iter().map(ExecutionUpdate::status).collect();
    statuses.dedup();
    statuses
}

impl Author {
    async fn begins() -> Self {
        let mut app = App::on(Database::migrated().await, &[]);
        app.api().await;
        let other = app.another_api().await;
        let executions = connect(&app).await;
        app.worker();
        app.worker();
        let services = Agent::start().await;
        for name in ["reserve", "mail", "ship"] {
            let path = format!("/{name}");
            services.on(&path, move |call| {
                let done = Reply::Json(200, json!({name: call.body["input"]["for"]}));
                if name == "mail" {
                    Reply::Held(Box::new(done))
                } else {
                    done
                }
            });
            app.api.agent(name, &services.url(&path)).await;
        }
        Self {
            api: app.api.clone(),
            app,
            other,
            executions,
            services,
        }
    }

    /// What the other process shows: version and tasks.
    async fn is_seen_as(&self, version: i64, tasks: &[&str]) {
        let workflow = self.other.read("workflows/order").await.body;
        assert_eq!(workflow["version"], version, "{workflow}");
        let list = self.other.read("workflows/order/tasks").await;
        assert_eq!(list.each("name"), tasks);
    }

    async fn writes_the_tasks_one_by_one(&self) {
        let body = json!({"id": "order", "name": "Order", "steps": [task("ship", 30, "sync")]});
        let made = self.api.post("workflows", body).await.of(201);
        let place = made.header("location");
        assert_eq!(self.other.read(&place).await.body, made.body);
        self.is_seen_as(1, &["ship"]).await;
        let tasks = "workflows/order/tasks";
        for (sequence, name, version) in [(10, "reserve", 2), (20, "mail", 3)] {
            let task = task(name, sequence, "sync");
            let added = self.api.post(tasks, task).await.of(201);
            assert_eq!(added.body["sequence"], sequence);
            assert!(added.header("etag").ends_with(&format!(".{version}\"")));
        }
        self.is_seen_as(3, &["reserve", "mail", "ship"]).await;
        let later = self.api.post(tasks, task("call", 20, "later")).await;
        later.problem(422).finds("/execution_type", "async");
        let place = format!("{tasks}/mail");
        self.api
            .put(&place, task("mail", 20, "async"))
            .await
            .of(200);
        let mail = self.other.read(&place).await.body;
        shows(&mail, json!({"sequence": 20, "execution_type": "async"}));
        self.is_seen_as(4, &["reserve", "mail", "ship"]).await;
    }

    /// Starts a run by gRPC, through the other process.
    async fn executes(&mut self) -> Streaming<ExecutionUpdate> {
        let request = order("order", INPUT);
        let answer = self.executions.execute_workflow(request).await;
        answer.unwrap().into_inner()
    }

    async fn status_by_id(&mut self, id: &str) -> Execution {
        let execution_id = id.to_owned();
        let asked = GetWorkflowStatusRequest { execution_id };
        let answer = self.executions.get_workflow_status(asked).await;
        let execution = answer.unwrap().into_inner();
        // REST says the same, through either process.
        for client in [&self.api, &self.other] {
            let run = client.run(id).await;
            let status = run["status"].as_str().unwrap().to_uppercase();
            assert_eq!(execution.status().as_str_name(), status);
            assert_eq!(execution.version, run["version"]);
        }
        execution
    }

    async fn follows_a_run_whose_mail_goes_out_aside(&mut self) {
        let mut stream = self.executes().await;
        let mut updates = vec![next(&mut stream).await.unwrap()];
        assert_eq!((updates[0].status(), updates[0].sequence), (Pending, 1));
        let id = updates[0].execution_id.clone();
        while !completed(&updates).contains(&"ship") {
            updates.push(next(&mut stream).await.unwrap());
        }
        // The mail is on its way, and nobody waited for it but the run.
        self.services.called("/mail", 1).await;
        assert_eq!(completed(&updates), ["reserve", "ship"]);
        assert_eq!(self.status_by_id(&id).await.status(), Running);
        self.services.release("/mail");
        updates.extend(rest(&mut stream).await);
        assert_eq!(completed(&updates), ["reserve", "ship", "mail"]);
        assert_eq!(statuses(&updates), [Pending, Running, Completed]);
        let sequences = updates.iter().map(|update| update.sequence);
        assert!(sequences.eq(1..=updates.len() as i64), "{updates:#?}");
        let over = self.status_by_id(&id).await;
        assert_eq!((over.status(), over.version), (Completed, 4));
        assert_eq!(over.output_json, updates.last().unwrap().output_json);
        let output: Value = serde_json::from_str(&over.output_json).unwrap();
        assert_eq!(output, self.other.run(&id).await["output"]);
    }

    /// Both processes run this version: the one that made it from now on, the other a moment later.
    async fn is_run_as(&self, version: i64) {
        let run = self.api.execute("order", json!({"user": "Bob"})).await;
        shows(&run, json!({"version": version, "status": "completed"}));
        until("the other process runs it", AT_ONCE, async || {
            let run = self.other.execute("order", json!({"user": "Eve"})).await;
            (run["version"] == version).then_some(())
        })
        .await;
    }

    async fn has_the_mail_sent_in_step(&mut self) {
        let place = "workflows/order/tasks/mail";
        self.api.put(place, task("mail", 20, "sync")).await.of(200);
        self.is_seen_as(5, &["reserve", "mail", "ship"]).await;
        self.is_run_as(5).await;
        let before = self.services.calls("/mail").len();
        self.services.release_first("/mail", before);
        let mut stream = self.executes().await;
        self.services.called("/mail", before + 1).await;
        self.services.release("/mail");
        let updates = rest(&mut stream).await;
        assert_eq!(completed(&updates), ["reserve", "mail", "ship"]);
        let id = &updates[0].execution_id;
        let mailed = self.other.step(id, "mail").await["finished_at"].to_string();
        let shipping = self.other.step(id, "ship").await["started_at"].to_string();
        assert!(mailed <= shipping, "{shipping}, mailed until {mailed}");
    }

    async fn takes_the_mail_out(&self) {
        let place = "workflows/order/tasks/mail";
        self.api.delete(place).await.of(204);
        self.other.get(place).await.problem(404);
        self.is_seen_as(6, &["reserve", "ship"]).await;
        self.is_run_as(6).await;
        // What once was can still be read.
        let old = self.other.read("workflows/order/versions/5").await;
        assert_eq!(old.body["steps"][2]["name"], "mail", "{}", old.raw);
    }

    async fn deletes_the_workflow(&mut self) {
        self.api.delete("workflows/order").await.of(204);
        self.other.get("workflows/order").await.problem(404);
        let execute = "workflows/order/execute";
        self.api.post(execute, json!({})).await.problem(404);
        let executions = &mut self.executions;
        until("the other starts nothing more", AT_ONCE, async || {
            let answer = executions.execute_workflow(order("order", INPUT)).await;
            let refused = answer.err()?;
            (refused.code() == Code::NotFound).then_some(())
        })
        .await;
        // Its runs stay, and those that had just begun end well.
        let list = "runs?limit=200";
        until("every run is over", PATIENCE, async || {
            let ends = self.other.read(list).await.each("finished_at");
            ends.iter().all(Value::is_string).then_some(())
        })
        .await;
        let ends = self.other.read(list).await.each("status");
        assert!(ends.iter().all(|end| end == "completed"), "{ends:?}");
    }
}
