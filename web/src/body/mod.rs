//! JSON bodies. What is wrong with one is said with line and column (not JSON) or with a JSON
//! pointer (the wrong shape).

pub(crate) mod none;
mod parse;
mod pointer;
pub(crate) mod storable;
pub(crate) mod work;

use bytes::Bytes;
use futures::StreamExt;
use salvo::hyper::body::Body as _;
use salvo::oapi::{Components, Content, Operation, RequestBody, Required, ToSchema};
use salvo::{Depot, FlowCtrl, Handler, Request, Response, async_trait};
use serde::de::DeserializeOwned;

pub(crate) use parse::{escape, parse};
use work::{WORK, Work};

use crate::admission::Weight;
use crate::example::Example;
use crate::extract::{Take, extractor};
use crate::limits::BODY_BYTES_MAX;
use crate::problem::{self, Kind, Problem};

/// A JSON body that must be there.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A JSON body that may be left out; its absence is the default.
#[derive(Debug)]
pub struct MaybeBody<T>(pub T);

impl<T: DeserializeOwned + ToSchema + Example + Send + 'static> Take for Body<T> {
    async fn take(req: &mut Request, _depot: &mut Depot, _arg: &str) -> Result<Self, Problem> {
        let json = is_json(req);
        let bytes = read(req).await?;
        if bytes.is_empty() {
            return Err(Problem::new(
                Kind::MalformedJson,
                "The body is empty; JSON is needed.",
            ));
        }
        json?;
        parse(&bytes).map(Self)
    }

    fn describe(components: &mut Components, operation: &mut Operation, _arg: &str) {
        document::<T>(components, operation, Required::True);
    }
}
extractor!(Body<T: DeserializeOwned, ToSchema, Example, Send>);

impl<T: DeserializeOwned + Default + ToSchema + Example + Send + 'static> Take for MaybeBody<T> {
    async fn take(req: &mut Request, _depot: &mut Depot, _arg: &str) -> Result<Self, Problem> {
        let json = is_json(req);
        let bytes = read(req).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        json?;
        parse(&bytes).map(Self)
    }

    fn describe(components: &mut Components, operation: &mut Operation, _arg: &str) {
        document::<T>(components, operation, Required::False);
    }
}
extractor!(MaybeBody<T: DeserializeOwned, Default, ToSchema, Example, Send>);

fn document<T: ToSchema + Example>(
    components: &mut Components,
    operation: &mut Operation,
    required: Required,
) {
    let content = Content::new(T::to_schema(components)).example(T::example());
    operation.request_body = Some(
        RequestBody::new()
            .description("UTF-8 JSON, up to 4 MiB. Unknown fields are refused.")
            .required(required)
            .add_content("application/json", content),
    );
    problem::describe(
        components,
        operation,
        &[
            Kind::MalformedBody,
            Kind::TooLarge,
            Kind::UnsupportedMediaType,
            Kind::Invalid,
        ],
    );
}

/// Reads the whole body, within the limit. May be called again: the bytes are kept. Of a body that
/// is too large the rest stays where it is (see [`crate::leftover`]).
///
/// # Errors
/// 413 beyond the limit, 400 when the connection breaks.
pub(crate) async fn read(req: &mut Request) -> Result<Bytes, Problem> {
    let work = WORK.try_with(Work::clone).ok();
    if let Some(bytes) = work.as_ref().and_then(Work::bytes) {
        return Ok(bytes);
    }
    let most = req
        .extensions()
        .get()
        .map_or(BODY_BYTES_MAX, |BodyLimit(most)| *most);
    let too_large = || {
        Problem::new(
            Kind::TooLarge,
            format!("The body may have up to {most} bytes."),
        )
    };
    // A client that says how much it will send is answered before it sends it.
    let announced = req
        .headers()
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > most as u64) {
        return Err(too_large());
    }
    // Who says nothing may send as much as is allowed, and mostly has nothing to send.
    let whole = announced.map(|bytes| usize::try_from(bytes).unwrap_or(most));
    let expected = whole.unwrap_or(if req.body().is_end_stream() { 0 } else { most });
    if let Some(work) = work.as_ref().filter(|_| expected > 0) {
        work.room(expected).await?;
    }
    let mut body = req.take_body();
    let (mut pieces, mut length) = (Vec::new(), 0);
    let mut weight = Weight::default();
    while let Some(frame) = body.next().await {
        let frame = frame.map_err(|_| {
            Problem::new(Kind::BadRequest, "The body could not be read to its end.")
        })?;
        // Trailers say nothing to us.
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        length += piece.len();
        if length > most {
            req.replace_body(body);
            return Err(too_large());
        }
        weight.add(&piece);
        pieces.push(piece);
    }
    if let Some(work) = work.as_ref().filter(|_| length > 0) {
        work.grow(weight.kib()).await?;
    }
    let bytes = match pieces.as_slice() {
        [whole] => whole.clone(),
        pieces => Bytes::from(pieces.concat()),
    };
    if let Some(work) = work {
        work.keep(bytes.clone());
    }
    Ok(bytes)
}

/// Gives a route another limit than [`BODY_BYTES_MAX`], in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

#[async_trait]
impl Handler for BodyLimit {
    async fn handle(
        &self,
        req: &mut Request,
        _depot: &mut Depot,
        _res: &mut Response,
        _ctrl: &mut FlowCtrl,
    ) {
        req.extensions_mut().insert(*self);
    }
}

fn is_json(req: &Request) -> Result<(), Problem> {
    let coded = req.headers().get_all(http::header::CONTENT_ENCODING);
    let plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if let Some(coded) = coded.iter().find(|value| !plain(value)) {
        return Err(Problem::new(
            Kind::UnsupportedMediaType,
            format!("Content-Encoding is {coded:?}; send the body as it is, without one."),
        ));
    }
    let kind = req.headers().get(http::header::CONTENT_TYPE);
    let text = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let utf8 = text
        .split(';')
        .skip(1)
        .filter_map(|part| part.trim().split_once('='))
        .filter(|(name, _)| name.eq_ignore_ascii_case("charset"))
        .all(|(_, charset)| charset.trim_matches('"').eq_ignore_ascii_case("utf-8"));
    if essence == "application/json" && utf8 {
        return Ok(());
    }
    let found = if text.is_empty() {
        "is missing".to_owned()
    } else {
        format!("is {text:?}")
    };
    Err(Problem::new(
        Kind::UnsupportedMediaType,
        format!("Content-Type {found}; send application/json in UTF-8."),
    ))
}
