//! HEAD is GET without a body (RFC 9110, 9.3.2): whatever answers to the one answers to the other.

use http::{HeaderValue, Method, header};
use salvo::http::ResBody;
use salvo::routing::FilterInfo;
use salvo::{Response, Router};

/// Lets every route below that answers to GET answer to HEAD. After the OpenAPI document is made,
/// which need not say everything twice.
pub fn mirror(router: &mut Router) {
    let mut heads = Vec::new();
    for inner in &mut router.routers {
        mirror(inner);
        if is_get(inner) {
            let mut head = Router::new().filter(salvo::routing::filters::head());
            head.hoops.clone_from(&inner.hoops);
            head.goal.clone_from(&inner.goal);
            heads.push(head);
        }
    }
    router.routers.append(&mut heads);
}

fn is_get(router: &Router) -> bool {
    let methods = router.filters.iter().map(|filter| filter.info());
    matches!(methods.collect::<Vec<_>>().as_slice(), [FilterInfo::Method(method)] if method == Method::GET)
}

/// Says how long the body would be that is now left out.
pub fn measure(res: &mut Response) {
    if let ResBody::Once(body) = &res.body {
        let length = HeaderValue::from(body.len());
        res.headers_mut().insert(header::CONTENT_LENGTH, length);
    }
}
