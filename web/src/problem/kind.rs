//! The kinds of problems. A kind's URI is stable: clients may branch on it.

use http::StatusCode;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = ($slug:literal, $status:ident, $title:literal);)+) => {
        /// What went wrong, as a client may want to tell it apart.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[doc = $doc])+ $name,)+ }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the stable `type` URI.
            #[must_use]
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$name => concat!("urn:stepwell:problem:", $slug),)+ }
            }

            /// Returns the HTTP status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// Returns the short title, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// Returns what the kind means, for the documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

kinds! {
    /// The body is not JSON. `detail` names the line and the column.
    MalformedJson = ("malformed-json", BAD_REQUEST, "The body is not JSON");
    /// The body is JSON of the wrong shape: a wrong type, an unknown or a missing field.
    MalformedBody = ("malformed-body", BAD_REQUEST, "The body has the wrong shape");
    /// A query parameter, path parameter or header is unknown or cannot be read.
    InvalidParameter = ("invalid-parameter", BAD_REQUEST, "A parameter cannot be used");
    /// The request cannot be read at all.
    BadRequest = ("bad-request", BAD_REQUEST, "The request cannot be read");
    /// Credentials are missing or wrong.
    Unauthorized = ("unauthorized", UNAUTHORIZED, "Credentials are needed");
    /// The credentials do not allow this.
    Forbidden = ("forbidden", FORBIDDEN, "This is not allowed");
    /// There is no such resource.
    NotFound = ("not-found", NOT_FOUND, "Not found");
    /// The path exists, but not with this method. `Allow` lists those that do.
    MethodNotAllowed = ("method-not-allowed", METHOD_NOT_ALLOWED, "Method not allowed");
    /// The name is already in use.
    NameTaken = ("name-taken", CONFLICT, "The name is taken");
    /// Something else still uses the resource.
    InUse = ("in-use", CONFLICT, "The resource is in use");
    /// The current state of the resource does not allow this.
    StateConflict = ("state-conflict", CONFLICT, "The current state does not allow this");
    /// What the request is about had its time, and that is over.
    Expired = ("expired", GONE, "This is over");
    /// `If-Match` does not name the current version.
    PreconditionFailed = ("precondition-failed", PRECONDITION_FAILED, "The resource has changed");
    /// The body is larger than the limit.
    TooLarge = ("too-large", PAYLOAD_TOO_LARGE, "The body is too large");
    /// The body must be `application/json`.
    UnsupportedMediaType = ("unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The body must be JSON");
    /// The body is well-formed and breaks rules; `errors` lists each of them.
    Invalid = ("invalid", UNPROCESSABLE_ENTITY, "The body breaks a rule");
    /// The `Idempotency-Key` was used before, with another request.
    KeyReused = ("idempotency-key-reused", UNPROCESSABLE_ENTITY, "The idempotency key was used for another request");
    /// Too many requests; `Retry-After` says when to come back.
    RateLimited = ("rate-limited", TOO_MANY_REQUESTS, "Too many requests");
    /// A fault of the server. The cause is in its log, under the request id.
    Internal = ("internal", INTERNAL_SERVER_ERROR, "Internal error");
    /// The database cannot be reached; `Retry-After` says when to come back.
    Unavailable = ("unavailable", SERVICE_UNAVAILABLE, "The service is not available");
    /// The server has as much in work as it allows itself, in all or for one client; `Retry-After` says when to come back.
    Overloaded = ("overloaded", SERVICE_UNAVAILABLE, "The server is busy");
    /// The answer took longer than the server allows.
    TimedOut = ("timed-out", SERVICE_UNAVAILABLE, "The request took too long");
}

impl Kind {
    /// Returns the kind for a status that something other than a handler chose.
    #[must_use]
    pub const fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            409 => Self::StateConflict,
            410 => Self::Expired,
            412 => Self::PreconditionFailed,
            413 => Self::TooLarge,
            415 => Self::UnsupportedMediaType,
            422 => Self::Invalid,
            429 => Self::RateLimited,
            503 => Self::Unavailable,
            500..=599 => Self::Internal,
            _ => Self::BadRequest,
        }
    }
}
