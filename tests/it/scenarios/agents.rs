//! Who manages agents: each kind of credentials before a server that checks them, versions of a
//! workflow, a retry from the step that failed, a cancel, logs, the audit, readiness, measurements.

mod work;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Agent, App, Client, Database, PATIENCE, Reply, port, shows, until};

/// An agent at a path of its own, the header that it looks at, and what it wants to find there.
const AGENTS: [(&str, &str, &str); 4] = [
    ("none", "authorization", ""),
    ("bearer", "authorization", "Bearer s3cret"),
    ("api_key", "x-agent-key", "k3y"),
    ("basic", "authorization", "Basic YWRhOmwwdmVsYWNl"),
];
/// What nobody may ever be shown.
const SECRETS: [&str; 4] = ["s3cret", "k3y", "l0velace", "guessed"];

/// A company with its agents and two workers that can be watched.
struct Company {
    app: App,
    api: Client,
    agents: Agent,
    workers: [Client; 2],
    began: String,
}

#[tokio::test]
async fn agents_are_managed_from_their_first_day_to_their_last() {
    let company = Company::opens().await;
    company.is_ready().await;
    company.registers_an_agent_of_each_kind().await;
    company.mends_credentials_that_were_wrong().await;
    company.makes_two_versions_of_a_workflow().await;
    let run = company.executes_the_second_which_fails().await;
    company.retries_it_from_the_step_that_failed(&run).await;
    let nap = company.hears_from_a_slow_agent().await;
    company.cancels_it(&nap).await;
    company.reads_the_audit(&run, &nap).await;
    company.reads_measurements().await;
    company.lets_an_agent_go().await;
    company.keeps_its_secrets();
    company.app.finish().await;
}

/// An agent that answers only to who shows its credentials, at its health path too.
fn guard(agents: &Agent, name: &'static str, header: &'static str, wanted: &'static str) {
    for path in [format!("/{name}"), format!("/{name}/health")] {
        agents.on(&path, move |call| {
            if call.header(header) == wanted {
                Reply::Json(200, json!({"by": name, "got": call.body["input"]}))
            } else {
                Reply::Json(401, json!({"error": "who are you?"}))
            }
        });
    }
}

impl Company {
    async fn opens() -> Self {
        let mut app = App::on(Database::migrated().await, &[]);
        let url = format!("http://127.0.0.1:{}", app.port);
        app = app.with_settings(&[("STEPWELL_PUBLIC_URL", &url)]);
        app.api().await;
        let workers = [port::free(), port::free()];
        for port in workers {
            let listen = format!("127.0.0.1:{port}");
            let place = app.spawn("worker", &["worker", "--health-listen", &listen]);
            app.processes[place].said("is working").await;
        }
        let agents = Agent::start().await;
        for (name, header, wanted) in AGENTS {
            guard(&agents, name, header, wanted);
        }
        Self {
            api: app.api.clone(),
            workers: workers.map(Client::new),
            began: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            app,
            agents,
        }
    }

    fn processes(&self) -> impl Iterator<Item = &Client> {
        self.workers.iter().chain([&self.api])
    }

    async fn is_ready(&self) {
        for process in self.processes() {
            let ready = process.read("/health/ready").await.body;
            shows(&ready, json!({"status": "ready", "migrations": "current"}));
        }
    }

    async fn is(&self, agent: &str, status: &str, http_status: Option<u16>) {
        let health = self.api.read(&format!("agents/{agent}/health")).await.body;
        shows(
            &health,
            json!({"status": status, "http_status": http_status}),
        );
        assert!(health["latency_ms"].is_u64(), "{health}");
    }

    fn described(&self, name: &str, auth_config: Value) -> Value {
        json!({"name": name, "url": self.agents.url(&format!("/{name}")), "auth_type": name,
            "auth_config": auth_config, "health_path": format!("/{name}/health"),
            "retry_config": {"max_attempts": 1}})
    }

    async fn registers_an_agent_of_each_kind(&self) {
        let configs = [
            Value::Null,
            json!({"token": "guessed"}),
            json!({"key": "k3y", "header": "X-Agent-Key"}),
            json!({"username": "ada", "password": "l0velace"}),
        ];
        for ((name, ..), config) in AGENTS.into_iter().zip(configs) {
            let shown = if config.is_null() {
                Value::Null
            } else {
                json!("•••")
            };
            let made = self
                .api
                .post("agents", self.described(name, config))
                .await
                .of(201);
            shows(&made.body, json!({"auth_type": name, "auth_config": shown}));
            assert_eq!(
                self.api.read(&made.header("location")).await.body,
                made.body
            );
        }
        for name in ["none", "api_key", "basic"] {
            self.is(name, "healthy", Some(200)).await;
        }
        self.is("bearer", "unhealthy", Some(401)).await;
        let slow = json!({"cancel": true, "health_path": "/gone"});
        self.api
            .agent_with("slow", &self.agents.url("/slow"), slow)
            .await;
        self.agents.on("/gone", |_| Reply::HangUp);
        self.is("slow", "unreachable", None).await;
        let list = self
            .api
            .read("agents?status=active&sort_by=name&sort_order=asc")
            .await;
        assert_eq!(
            list.each("name"),
            ["api_key", "basic", "bearer", "none", "slow"]
        );
    }

    async fn mends_credentials_that_were_wrong(&self) {
        let tag = self.api.read("agents/bearer").await.header("etag");
        let body = self.described("bearer", json!({"token": "s3cret"}));
        let put = || {
            let request = self.api.request(Method::PUT, "agents/bearer");
            self.api.send(request.header("if-match", &tag).json(&body))
        };
        put().await.of(200);
        put().await.problem(412);
        self.is("bearer", "healthy", Some(200)).await;
    }

    async fn reads_the_audit(&self, retried: &str, cancelled: &str) {
        let bearer = self.api.read("agents/bearer").await.text("/id");
        let of = async |query: &str| {
            let list = self.api.read(&format!("audit?limit=200&{query}")).await;
            for secret in SECRETS {
                assert!(!list.raw.contains(secret), "the audit tells {secret}");
            }
            list.each("action")
        };
        let changes = of(&format!("entity_id={bearer}")).await;
        assert_eq!(changes, ["agent.updated", "agent.created"]);
        assert_eq!(of("entity_type=agent&action=agent.created").await.len(), 6);
        assert_eq!(of("entity_type=workflow&actor=anonymous").await.len(), 3);
        for (run, action) in [(retried, "run.retried"), (cancelled, "run.cancelled")] {
            let found = of(&format!("entity_id={run}&action={action}")).await;
            assert_eq!(found, [action]);
        }
        assert!(of(&format!("to={}", self.began)).await.is_empty());
        assert!(of(&format!("from={}", self.began)).await.len() > 20);
        assert!(of("actor=nobody").await.is_empty());
    }

    /// What a series comes to in all processes together.
    async fn measured(&self, series: &str) -> f64 {
        let mut sum = 0.0;
        for process in self.processes() {
            let text = process.read("/metrics").await.raw;
            let mut lines = text.lines();
            let found = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
            sum += found.map_or(0.0, |value| value.parse::<f64>().unwrap());
        }
        sum
    }

    async fn reads_measurements(&self) {
        for (series, expected) in [
            ("stepwell_enqueued_runs_total", 3.0),
            ("stepwell_runs_finished_total{status=\"completed\"}", 2.0),
            ("stepwell_runs_finished_total{status=\"failed\"}", 1.0),
            ("stepwell_runs_finished_total{status=\"cancelled\"}", 1.0),
            ("stepwell_runs_active", 0.0),
        ] {
            until(&format!("{series} is {expected}"), PATIENCE, async || {
                let measured = self.measured(series).await;
                ((measured - expected).abs() < f64::EPSILON).then_some(())
            })
            .await;
        }
    }

    async fn lets_an_agent_go(&self) {
        let refused = self.api.delete("agents/basic").await.problem(409);
        assert!(refused.text("/type").ends_with(":in-use"));
        self.api.delete("workflows/round").await.of(204);
        self.api.delete("agents/basic").await.of(204);
        self.api.get("agents/basic").await.problem(404);
    }

    fn keeps_its_secrets(&self) {
        for process in &self.app.processes {
            for secret in SECRETS {
                let told = process.log().contains(secret);
                assert!(!told, "{} tells {secret}", process.name);
            }
        }
    }
}
