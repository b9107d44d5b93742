//! An answer of the API, and what every answer must be.

use serde_json::Value;

/// Status, headers and body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    /// Null when the body is not JSON.
    pub(crate) body: Value,
    pub(crate) raw: String,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let raw = response.text().await.expect("a body in UTF-8");
        let body = serde_json::from_str(&raw).unwrap_or_default();
        Self {
            status,
            headers,
            body,
            raw,
        }
    }

    /// Fails unless the status is this one, and the answer carries a request id.
    #[track_caller]
    pub(crate) fn of(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.raw);
        assert!(
            !self.header("x-request-id").is_empty(),
            "without X-Request-ID: {self:?}"
        );
        self
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers
            .get(name)
            .map(|v| v.to_str().unwrap().to_owned())
            .unwrap_or_default()
    }

    /// The text at a JSON pointer.
    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("no text at {pointer}: {}", self.raw))
            .to_owned()
    }

    /// One field of each item of a list.
    #[track_caller]
    pub(crate) fn each(&self, field: &str) -> Vec<Value> {
        let items = self.body["items"].as_array();
        let items = items.unwrap_or_else(|| panic!("no list: {}", self.raw));
        items.iter().map(|item| item[field].clone()).collect()
    }

    /// Fails unless this is a problem (RFC 9457) with this status, whole in all its parts.
    #[track_caller]
    pub(crate) fn problem(self, status: u16) -> Self {
        let answer = self.of(status);
        assert!(
            answer
                .header("content-type")
                .starts_with("application/problem+json"),
            "content-type {}: {}",
            answer.header("content-type"),
            answer.raw
        );
        assert_eq!(answer.body["status"], status, "{}", answer.raw);
        for field in ["type", "title", "detail", "instance", "request_id"] {
            let text = answer.body[field].as_str().unwrap_or_default();
            assert!(
                !text.is_empty(),
                "a problem without `{field}`: {}",
                answer.raw
            );
        }
        assert_ne!(answer.body["type"], "about:blank", "{}", answer.raw);
        assert_eq!(
            answer.body["request_id"],
            answer.header("x-request-id"),
            "{}",
            answer.raw
        );
        for inside in ["sqlx", "panicked", "stepwell_", "salvo", "src/"] {
            assert!(
                !answer.raw.contains(inside),
                "shows its inside: {}",
                answer.raw
            );
        }
        answer
    }

    /// The pointers of the problem's findings, sorted.
    #[track_caller]
    pub(crate) fn pointers(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array();
        let errors = errors.unwrap_or_else(|| panic!("no findings: {}", self.raw));
        let mut pointers: Vec<_> = errors
            .iter()
            .map(|error| {
                assert!(
                    !error["detail"].as_str().unwrap_or_default().is_empty(),
                    "{error}"
                );
                error["pointer"].as_str().expect("a pointer").to_owned()
            })
            .collect();
        pointers.sort();
        pointers
    }

    /// Fails unless some finding is at this pointer and says something that holds `text`.
    #[track_caller]
    pub(crate) fn finds(&self, pointer: &str, text: &str) -> &Self {
        let errors = self.body["errors"].as_array();
        let found = errors.into_iter().flatten().any(|error| {
            error["pointer"] == pointer
                && error["detail"].as_str().is_some_and(|d| d.contains(text))
        });
        assert!(found, "nothing at {pointer:?} about {text:?}: {}", self.raw);
        self
    }
}

/// Fails unless an object has these fields; it may have others as well.
#[track_caller]
pub(crate) fn shows(object: &Value, fields: Value) {
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(&object[name], value, "{name} of {object}");
    }
}
