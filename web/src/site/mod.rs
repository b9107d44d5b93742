//! Which web pages may speak to this server by a visitor's browser: none but its own.
//!
//! A page of any origin can have its visitors' browsers send requests to what only they reach: a laptop's loopback, a
//! private network. CORS keeps it from reading the answer and from sending JSON, and not from a POST without a
//! body. And a page whose name leads to this address after a while ("DNS rebinding") is of the same origin for
//! the browser: it can read as well. So a server that asks nobody who they are answers to names that it knows,
//! and no server does what another site's page asks for.

mod hosts;

use http::Method;
use http::header::{CONTENT_TYPE, ORIGIN};
use salvo::Request;
use url::Url;

use crate::WebOptions;
use crate::auth::AuthOptions;
use crate::problem::{Fault, Kind, Problem};
use hosts::Host;
pub use hosts::Hosts;

/// What a browser says about who has it send a request (Fetch Metadata, W3C).
const FETCH_SITE: &str = "sec-fetch-site";
/// What a form of any page can send (Fetch standard, "CORS-safelisted request-header").
const FORM_TYPES: [&str; 3] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];

/// The rules of one server.
#[derive(Debug)]
pub(crate) struct Site {
    /// Those it may be called by; `None`: any, as everybody is asked who they are.
    hosts: Option<Hosts>,
}

impl Site {
    /// Takes them from the options. `api`: not only what tells how a process is, which tells nobody much, and which
    /// others call by names that only they know, unless it listens on loopback.
    pub(crate) fn of(options: &WebOptions, api: bool) -> Self {
        let open = matches!(options.auth, AuthOptions::Open);
        let guarded = open && (api || options.listen.ip().is_loopback());
        Self {
            hosts: guarded.then(|| options.hosts.clone()),
        }
    }

    /// Refuses a request that another site's page may have sent.
    pub(crate) fn check(&self, req: &Request) -> Result<(), Problem> {
        let host = Host::of(req).map_err(|detail| {
            Problem::new(Kind::BadRequest, detail.clone())
                .with_errors(vec![Fault::parameter("Host", detail)])
        })?;
        if let Some(hosts) = &self.hosts {
            let host = host
                .as_ref()
                .ok_or_else(|| Problem::new(Kind::BadRequest, "The header Host is missing."))?;
            if !hosts.have(host) {
                return Err(Problem::new(
                    Kind::Forbidden,
                    format!(
                        "{:?} is not a name of this server. It asks nobody who they are, so it answers to addresses, \
                         localhost and the names given by --allowed-host only.",
                        host.shown()
                    ),
                ));
            }
        }
        if matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        if is_foreign(req, host.as_ref()) {
            return Err(Problem::new(
                Kind::Forbidden,
                "A page of another site asks for this; only pages of this server may.",
            ));
        }
        refuse_forms(req)
    }
}

/// Says whether a page of another origin sends it. Clients that are no browsers send neither header. Of the two the first
/// is what the browser itself holds true; the second is for browsers before 2023.
fn is_foreign(req: &Request, host: Option<&Host>) -> bool {
    let said = |name: &str| req.headers().get(name);
    if let Some(site) = said(FETCH_SITE) {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = said(ORIGIN.as_str()) else {
        return false;
    };
    let origin = origin.to_str().ok().and_then(|text| Url::parse(text).ok());
    // "null" is nobody's.
    !origin.is_some_and(|origin| host.is_some_and(|host| host.is_of(&origin)))
}

/// Refuses the body types that forms send, also where there is no body: a form without fields is a POST like
/// any other, and browsers without the headers above send it for any page.
fn refuse_forms(req: &Request) -> Result<(), Problem> {
    let kind = req.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if FORM_TYPES
        .iter()
        .any(|form| essence.eq_ignore_ascii_case(form))
    {
        return Err(Problem::new(
            Kind::UnsupportedMediaType,
            format!(
                "Content-Type is {essence:?}, which forms of web pages send; send application/json, or nothing where there is no body."
            ),
        ));
    }
    Ok(())
}
