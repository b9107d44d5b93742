//! What the process measures, as Prometheus reads it: requests here, and what [`sample`] reads from
//! elsewhere when it is asked, [`loops`] from the store and [`survey`] from the database.

mod loops;
mod sample;
mod survey;

use std::sync::Mutex;
use std::time::Duration;

use http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub(crate) use loops::samples as loop_samples;
pub use sample::{Kind, Labels, Sample};
pub use survey::Survey;

use sample::Source;

use crate::system::{COMMIT, VERSION};

/// Upper bounds of the latency buckets, seconds: from a cached read to the longest wait.
const LATENCY_BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
    method: &'static str,
}

/// The measurements of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

impl Metrics {
    #[must_use]
    pub fn new() -> Self {
        let requests = Family::default();
        let make: fn() -> Histogram = || Histogram::new(LATENCY_BUCKETS);
        let latency = Family::new_with_constructor(make);
        let mut registry = Registry::with_prefix("stepwell");
        let build = Info::new([("version", VERSION), ("commit", COMMIT)]);
        registry.register("build", "Which build this is", build);
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time from a request's head to its answer",
            latency.clone(),
        );
        Self {
            registry: Mutex::new(registry),
            requests,
            latency,
        }
    }

    /// Lets another part of the process say what it measures, whenever Prometheus asks.
    pub fn add(&self, read: impl Fn() -> Vec<Sample> + Send + Sync + 'static) {
        self.registry
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .register_collector(Box::new(Source(read)));
    }

    /// Counts a request. `route` is the pattern, not the path, so that the number of series is bounded.
    pub fn request(&self, route: &str, method: &Method, status: u16, latency: Duration) {
        let route = if route.is_empty() && matches!(status, 404 | 405) {
            "unmatched".to_owned()
        } else {
            format!("/{route}")
        };
        let method = name(method);
        self.latency
            .get_or_create(&RouteLabels {
                route: route.clone(),
                method,
            })
            .observe(latency.as_secs_f64());
        self.requests
            .get_or_create(&RequestLabels {
                route,
                method,
                status,
            })
            .inc();
    }

    /// Writes everything in the Prometheus text format.
    ///
    /// # Errors
    /// When a measurement cannot be written as text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let registry = self
            .registry
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

// A client can invent methods; each would be a series of its own.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::Metrics;
    use http::Method;
    use std::time::Duration;

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let metrics = Metrics::new();
        for _ in 0..2 {
            metrics.request(
                "api/v1/agents/{id}",
                &Method::GET,
                200,
                Duration::from_millis(3),
            );
        }
        metrics.request("", &Method::GET, 404, Duration::ZERO);
        metrics.request(
            "",
            &Method::from_bytes(b"BREW").unwrap(),
            404,
            Duration::ZERO,
        );
        let text = metrics.text().unwrap();
        assert!(text.contains(
            r#"stepwell_http_requests_total{route="/api/v1/agents/{id}",method="GET",status="200"} 2"#
        ));
        assert!(text.contains(r#"{route="unmatched",method="other",status="404"} 1"#));
        assert!(text.contains(r#"le="0.005""#));
    }
}
