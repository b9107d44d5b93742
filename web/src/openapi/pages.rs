//! `/openapi.json`, Swagger UI at `/docs`, ReDoc at `/redoc`, and the page at `/`. Scripts and
//! styles come from the binary, and the browser is told to take them from nowhere else.

use bytes::Bytes;
use http::HeaderValue;
use salvo::oapi::OpenApi;
use salvo::oapi::redoc::ReDoc;
use salvo::oapi::swagger_ui::{Config, SwaggerUi};
use salvo::{Depot, FlowCtrl, Handler, Request, Response, Router, async_trait};

use super::policy::policy;

const REDOC_SCRIPT: &[u8] = include_bytes!("../../assets/redoc.standalone.js.gz");
const ICON: &str = include_str!("../../assets/icon.svg");
const LANDING: &str = include_str!("../../assets/landing.html");
const DOCUMENT: &str = "/openapi.json";

/// Returns the routes that show the document.
#[must_use]
pub fn pages(document: &OpenApi) -> Router {
    let json = document.to_json().unwrap_or_default();
    let fixed = |kind, body: Bytes, gzip| Router::new().get(Fixed { kind, body, gzip });
    let fixed_at =
        |path: &str, kind, body, gzip| Router::with_path(path).push(fixed(kind, body, gzip));
    let page = |router: Router| Router::new().hoop(policy).push(router);
    Router::new()
        .push(fixed_at(
            "openapi.json",
            "application/json",
            Bytes::from(json),
            false,
        ))
        .push(page(fixed(
            "text/html; charset=utf-8",
            Bytes::from_static(LANDING.as_bytes()),
            false,
        )))
        .push(fixed_at(
            "favicon.ico",
            "image/svg+xml",
            Bytes::from_static(ICON.as_bytes()),
            false,
        ))
        .push(fixed_at(
            "redoc/redoc.js",
            "text/javascript; charset=utf-8",
            Bytes::from_static(REDOC_SCRIPT),
            true,
        ))
        .push(page(
            Router::with_path("redoc").get(
                ReDoc::new(DOCUMENT)
                    .title("Stepwell API")
                    .lib_url("/redoc/redoc.js"),
            ),
        ))
        .push(page(Router::with_path("docs/{**rest}").get(
            SwaggerUi::new(Config::from(DOCUMENT).validator_url("none")).title("Stepwell API"),
        )))
}

/// Bytes that never change while the process runs.
struct Fixed {
    kind: &'static str,
    body: Bytes,
    gzip: bool,
}

#[async_trait]
impl Handler for Fixed {
    async fn handle(
        &self,
        _req: &mut Request,
        _depot: &mut Depot,
        res: &mut Response,
        _ctrl: &mut FlowCtrl,
    ) {
        let headers = res.headers_mut();
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static(self.kind),
        );
        if self.gzip {
            // Every browser takes gzip; nothing else asks for this script.
            headers.insert(
                http::header::CONTENT_ENCODING,
                HeaderValue::from_static("gzip"),
            );
            headers.insert(
                http::header::CACHE_CONTROL,
                HeaderValue::from_static("max-age=3600"),
            );
        }
        res.body(self.body.clone());
    }
}
