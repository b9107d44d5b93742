//! Operations that take no body. What a client sends to one all the same would be lost without a
//! word, so it is refused like an unknown field; nothing, `null` and `{}` are fine.

use std::collections::HashSet;

use http::Method;
use salvo::oapi::{Components, OpenApi, Operation, PathItemType};
use salvo::{Depot, FlowCtrl, Handler, Request, Response, Writer, async_trait};
use serde::Deserialize;

use super::{is_json, parse, read};
use crate::problem::{self, Kind, Problem};

/// Guards the operations that say nothing of a body in the OpenAPI document.
#[derive(Debug)]
pub(crate) struct NoBody {
    /// Method and path, without the first slash.
    operations: HashSet<(Method, String)>,
}

/// A body without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl NoBody {
    /// Takes the operations from the document.
    #[must_use]
    pub(crate) fn of(document: &OpenApi) -> Self {
        let mut operations = HashSet::new();
        for (path, item) in document.paths.iter() {
            for (method, operation) in item.operations.iter() {
                if let Some(method) = guarded(method, operation) {
                    operations.insert((method, path.trim_matches('/').to_owned()));
                }
            }
        }
        Self { operations }
    }

    fn guards(&self, req: &Request) -> bool {
        let path = req.matched_path().trim_matches('/').to_owned();
        self.operations.contains(&(req.method().clone(), path))
    }
}

/// Documents what is answered to a body that nobody asked for.
pub(crate) fn describe(
    method: &PathItemType,
    components: &mut Components,
    operation: &mut Operation,
) {
    if guarded(method, operation).is_some() {
        for kind in [
            Kind::MalformedBody,
            Kind::TooLarge,
            Kind::UnsupportedMediaType,
        ] {
            let status = kind.status().as_u16().to_string();
            if !operation.responses.contains_key(&status) {
                problem::describe(components, operation, &[kind]);
            }
        }
    }
}

/// The method, where a body could be sent and none is taken. That of GET means nothing to anybody.
fn guarded(method: &PathItemType, operation: &Operation) -> Option<Method> {
    let method = match method {
        PathItemType::Post => Method::POST,
        PathItemType::Put => Method::PUT,
        PathItemType::Delete => Method::DELETE,
        PathItemType::Patch => Method::PATCH,
        _ => return None,
    };
    operation.request_body.is_none().then_some(method)
}

#[async_trait]
impl Handler for NoBody {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        if self.guards(req)
            && let Err(problem) = empty(req).await
        {
            ctrl.skip_rest();
            problem.write(req, depot, res).await;
        }
    }
}

async fn empty(req: &mut Request) -> Result<(), Problem> {
    let json = is_json(req);
    let bytes = read(req).await?;
    if bytes.is_empty() {
        return Ok(());
    }
    json?;
    parse(&bytes).map(|_: Option<Nothing>| ())
}
