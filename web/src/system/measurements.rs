//! What the process measures, as Prometheus reads it.

use salvo::oapi::{
    BasicType, Components, Content, EndpointOutRegister, Object, Operation, Response as Documented,
    endpoint,
};
use salvo::{Depot, Request, Response, Writer, async_trait};

use crate::App;
use crate::answer::Result;
use crate::problem::Problem;
use crate::query::{Nothing, Query};

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Measurements as text.
#[derive(Debug)]
pub struct Text(String);

#[async_trait]
impl Writer for Text {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        let kind = http::HeaderValue::from_static(MEDIA_TYPE);
        res.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        res.body(self.0);
    }
}

impl EndpointOutRegister for Text {
    fn register(_components: &mut Components, operation: &mut Operation) {
        let content = Content::new(Object::with_type(BasicType::String)).example(
            "stepwell_http_requests_total{route=\"/version\",method=\"GET\",status=\"200\"} 1"
                .into(),
        );
        let response = Documented::new("Prometheus text.").add_content(MEDIA_TYPE, content);
        operation.responses.insert("200", response);
    }
}

/// Gives the measurements of this process, and of the queues, to Prometheus.
///
/// The queues are counted at most once in five seconds. While the database is away the other
/// measurements answer all the same, and `stepwell_database_up` is 0.
#[endpoint(operation_id = "metrics")]
pub async fn metrics(app: App, _query: Query<Nothing>) -> Result<Text> {
    app.survey.refresh(&app.store).await;
    app.metrics.text().map(Text).map_err(Problem::internal)
}
