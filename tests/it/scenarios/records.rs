//! Who takes in records: with keys of three roles, in pages and in order, processed once, counted, and
//! every request found again by its id.

use serde_json::{Value, json};

use crate::auth::{KEYS, key};
use crate::harness::{Answer, App, Client, PATIENCE, shows, until};

/// Source and category of each record, in their order of arrival.
const INTAKE: [(&str, &str); 7] = [
    ("crm", "invoice"),
    ("web", "invoice"),
    ("crm", "claim"),
    ("web", "letter"),
    ("crm", "invoice"),
    ("crm", "letter"),
    ("web", "claim"),
];

/// An office: the clerk writes, the auditor reads, the admin sets things up.
struct Office {
    app: App,
    admin: Client,
    clerk: Client,
    auditor: Client,
}

#[tokio::test]
async fn records_are_taken_in_processed_once_and_counted() {
    let office = Office::opens().await;
    office.nobody_writes_without_a_key().await;
    office.the_admin_says_what_is_done_with_invoices().await;
    let records = office.the_clerk_takes_in().await;
    office.what_breaks_a_rule_is_not_taken_in().await;
    office.the_auditor_filters_and_pages().await;
    office.the_auditor_sorts().await;
    let run = office.one_is_processed_once(&records[0]).await;
    office.one_that_nobody_asked_for_waits(&records[2]).await;
    office.every_request_is_found_again(&records[0], &run).await;
    office.all_is_counted().await;
    office.app.finish().await;
}

impl Office {
    async fn opens() -> Self {
        let app = App::separate(2, &[KEYS]).await;
        let person = async |name, role| app.api.with_key(&key(&app, name, role).await);
        let admin = person("boss", "admin").await;
        let clerk = person("clerk", "operator").await;
        let auditor = person("auditor", "viewer").await;
        Self {
            app,
            admin,
            clerk,
            auditor,
        }
    }

    /// What the clerk does, under a request id of the clerk's own.
    async fn writes(&self, request_id: &str, path: &str, body: Value) -> Answer {
        let header = [("x-request-id", request_id)];
        let answer = self.clerk.post_with(path, &header, body).await;
        assert_eq!(answer.header("x-request-id"), request_id);
        answer
    }

    async fn nobody_writes_without_a_key(&self) {
        let version = self.app.api.read("/version").await.body;
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
        assert!(version["commit"].is_string(), "{version}");
        assert!(version["environment"].is_string(), "{version}");
        let record = json!({"source": "crm", "category": "invoice", "payload": {}});
        let route = json!({"category": "invoice", "workflow": "book"});
        let process = "records/01890000-0000-7000-8000-000000000000/process";
        let forger = self.app.api.with_key("swk_00000000_forged");
        for (path, body) in [
            ("records", &record),
            (process, &json!({})),
            ("record-routes", &route),
        ] {
            let refused = self.app.api.post(path, body.clone()).await.problem(401);
            let how = refused.header("www-authenticate");
            assert!(how.starts_with("Bearer"), "{how}");
            forger.post(path, body.clone()).await.problem(401);
            self.auditor.post(path, body.clone()).await.problem(403);
        }
        self.clerk.post("record-routes", route).await.problem(403);
        self.app.api.get("records").await.problem(401);
        let none = self.auditor.read("records?count=true").await;
        assert_eq!(none.body["total"], 0);
    }

    async fn the_admin_says_what_is_done_with_invoices(&self) {
        let value = json!({"booked": "${input.amount * 2}"});
        let book = json!([{"name": "book", "type": "transform", "config": {"value": value}}]);
        let schema = json!({"input_schema": {"type": "object", "required": ["amount"]}});
        self.admin.workflow_with("book", book, schema).await;
        let route = json!({"category": "invoice", "workflow": "book"});
        self.admin.post("record-routes", route).await.of(201);
    }

    async fn the_clerk_takes_in(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for (amount, (source, category)) in INTAKE.iter().enumerate() {
            let payload = json!({"amount": amount});
            let body = json!({"source": source, "category": category, "payload": payload});
            let id = format!("intake-{amount}");
            let made = self.writes(&id, "records", body.clone()).await.of(201);
            shows(&made.body, body);
            let fresh = json!({"status": "pending", "run_id": null, "created_by": "key:clerk"});
            shows(&made.body, fresh);
            let read = self.auditor.read(&made.header("location")).await;
            assert_eq!(read.body, made.body);
            ids.push(made.text("/id"));
        }
        ids
    }

    async fn what_breaks_a_rule_is_not_taken_in(&self) {
        let mut body = json!({"source": "", "category": "", "payload": 1});
        let refused = self.writes("odd-1", "records", body.clone()).await;
        let refused = refused.problem(422);
        assert_eq!(refused.pointers(), ["/category", "/source"]);
        assert_eq!(refused.body["request_id"], "odd-1");
        body["colour"] = json!("red");
        self.writes("odd-2", "records", body).await.problem(400);
    }

    /// The amounts of a list: which records came, in which order.
    async fn amounts(&self, query: &str) -> Vec<usize> {
        amounts(&self.auditor.read(&format!("records?{query}")).await)
    }

    async fn the_auditor_filters_and_pages(&self) {
        for (query, expected) in [
            ("", vec![6, 5, 4, 3, 2, 1, 0]),
            ("category=invoice", vec![4, 1, 0]),
            ("source=web&category=claim&status=pending", vec![6]),
            ("status=processed&status=failed", vec![]),
            ("created_before=2020-01-01T00:00:00Z", vec![]),
            ("limit=2&offset=3", vec![3, 2]),
        ] {
            assert_eq!(self.amounts(query).await, expected, "{query}");
        }
        let first = self.auditor.read("records?limit=4&count=true").await;
        assert_eq!(first.body["total"], 7);
        let onward = format!("limit=4&cursor={}", first.text("/next_cursor"));
        assert_eq!(self.amounts(&onward).await, [2, 1, 0]);
    }

    async fn the_auditor_sorts(&self) {
        let oldest_first = self.amounts("sort_by=created_at&sort_order=asc").await;
        assert_eq!(oldest_first, [0, 1, 2, 3, 4, 5, 6]);
        for (sort, word) in [
            ("source", |n: &usize| INTAKE[*n].0),
            ("category", |n: &usize| INTAKE[*n].1),
        ] as [(&str, fn(&usize) -> &'static str); 2]
        {
            let mut query = format!("sort_by={sort}&sort_order=asc&limit=3");
            let mut paged = Vec::new();
            loop {
                let page = self.auditor.read(&format!("records?{query}")).await;
                paged.extend(amounts(&page));
                match page.body["next_cursor"].as_str() {
                    Some(cursor) => query = format!("limit=3&cursor={cursor}"),
                    None => break,
                }
            }
            assert!(paged.is_sorted_by_key(word), "by {sort}: {paged:?}");
            paged.sort_unstable();
            assert_eq!(paged, oldest_first, "by {sort}, each once");
        }
        let odd = self.auditor.get("records?sort_by=colour").await;
        odd.problem(400);
    }

    /// However often it is asked for, by however many at once: there is one run.
    async fn one_is_processed_once(&self, record: &str) -> String {
        let path = format!("records/{record}/process");
        let process = || self.writes("process-1", &path, json!({}));
        let (first, second) = tokio::join!(process(), process());
        let run = first.of(202).text("/run_id");
        assert_eq!(second.of(202).text("/run_id"), run);
        let place = format!("records/{record}");
        let done = until("the record is processed", PATIENCE, async || {
            let shown = self.auditor.read(&place).await.body;
            (shown["status"] == "processed").then_some(shown)
        })
        .await;
        assert_eq!(done["run_id"], run);
        let later = self.writes("process-2", &path, json!({})).await.of(202);
        shows(&later.body, json!({"run_id": run, "status": "processed"}));
        let runs = self.auditor.read("runs?count=true").await;
        assert_eq!(runs.body["total"], 1, "{}", runs.raw);
        assert_eq!(runs.each("output"), [json!({"booked": 0})]);
        assert_eq!(runs.each("labels"), [json!({"stepwell/record": record})]);
        run
    }

    /// Nobody has said what is done with claims.
    async fn one_that_nobody_asked_for_waits(&self, record: &str) {
        let path = format!("records/{record}/process");
        self.clerk.post(&path, json!({})).await.problem(409);
        let still = self.auditor.read(&format!("records/{record}")).await;
        shows(&still.body, json!({"status": "pending", "run_id": null}));
    }

    async fn every_request_is_found_again(&self, record: &str, run: &str) {
        let list = format!("audit?entity_id={record}");
        let trail = self.auditor.read(&list).await;
        let told = ["record.processed", "record.processing", "record.created"];
        assert_eq!(trail.each("action"), told, "newest first");
        assert_eq!(trail.each("request_id")[1..], ["process-1", "intake-0"]);
        assert_eq!(trail.each("actor")[1..], ["key:clerk", "key:clerk"]);
        let trail = self.auditor.read(&format!("runs/{run}/audit")).await;
        let asked =
            json!({"action": "run.created", "actor": "key:clerk", "request_id": "process-1"});
        shows(&trail.body["items"][0], asked);
        self.app.processes[0].said("intake-3").await;
        // Whoever brings no id is given one; one that is none is refused.
        let made = self.auditor.read("records").await.header("x-request-id");
        assert!(uuid::Uuid::parse_str(&made).is_ok(), "{made}");
        let odd = [("x-request-id", "a b")];
        let refused = self.clerk.post_with("records", &odd, json!({})).await;
        refused.problem(400);
    }

    async fn all_is_counted(&self) {
        let summary = self.auditor.read("reports/summary").await.body;
        let by_status = json!({"pending": 6, "processing": 0, "processed": 1, "failed": 0});
        let by_category = json!({"invoice": 3, "claim": 2, "letter": 2});
        shows(
            &summary,
            json!({"total": 7, "by_status": by_status, "by_category": by_category}),
        );
        let query = "reports/summary?category=invoice&status=pending";
        let open = self.auditor.read(query).await.body;
        shows(&open, json!({"total": 2, "by_category": {"invoice": 2}}));
        let before = self
            .auditor
            .read("reports/summary?date_to=2020-01-01")
            .await;
        assert_eq!(before.body["total"], 0);
    }
}

fn amounts(page: &Answer) -> Vec<usize> {
    let amount = |payload: Value| payload["amount"].as_u64().unwrap();
    let amounts = page.each("payload").into_iter().map(amount);
    amounts.map(|n| usize::try_from(n).unwrap()).collect()
}
