//! `ETag` and `If-Match`: a change is refused when what it was based on has changed since.

use salvo::oapi::{BasicType, Components, Object, Operation, ParameterIn};
use salvo::{Depot, Request};

use crate::extract::{Take, extractor};
use crate::openapi::optional;
use crate::problem::{self, Fault, Kind, Problem};

/// Returns the entity tag of a revision.
#[must_use]
pub fn tag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// The revision of what was made just now.
pub const FIRST_REVISION: i64 = 1;

/// The `If-Match` header, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Absent or `*`: whatever there is.
    Any,
    /// One of these revisions. A weak tag, or one that we never gave, matches none.
    OneOf(Vec<i64>),
}

impl IfMatch {
    /// Says whether the change may go on.
    ///
    /// # Errors
    /// 412 when the current revision is not one of those named.
    pub fn check(&self, revision: i64) -> Result<(), Problem> {
        match self {
            Self::OneOf(revisions) if !revisions.contains(&revision) => Err(Problem::new(
                Kind::PreconditionFailed,
                format!(
                    "The current ETag is {}. Read it again and decide anew.",
                    tag(revision)
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Returns the revisions that the change may be based on; `None` is any.
    #[must_use]
    pub fn revisions(&self) -> Option<&[i64]> {
        match self {
            Self::Any => None,
            Self::OneOf(revisions) => Some(revisions),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let mut revisions = Vec::new();
        for part in text.split(',').map(str::trim) {
            let strong = part.strip_prefix("W/").is_none();
            let inner = part.strip_prefix("W/").unwrap_or(part);
            let inner = inner.strip_prefix('"')?.strip_suffix('"')?;
            if let (true, Ok(revision)) = (strong, inner.parse()) {
                revisions.push(revision);
            }
        }
        Some(Self::OneOf(revisions))
    }
}

impl Take for IfMatch {
    async fn take(req: &mut Request, _depot: &mut Depot, _arg: &str) -> Result<Self, Problem> {
        let Some(value) = req.headers().get(http::header::IF_MATCH) else {
            return Ok(Self::Any);
        };
        value.to_str().ok().and_then(Self::parse).ok_or_else(|| {
            Problem::parameters(vec![Fault::parameter(
                "If-Match",
                "If-Match must be * or a list of quoted entity tags, as ETag gives them",
            )])
        })
    }

    fn describe(components: &mut Components, operation: &mut Operation, _arg: &str) {
        let parameter = optional(
            "If-Match",
            ParameterIn::Header,
            "The `ETag` that the change is based on; 412 if it has changed since.",
            Object::with_type(BasicType::String)
                .min_length(1)
                .pattern(r#"^([*]|(W/)?"[!#-+.-~-]*"( *, *(W/)?"[!#-+.-~-]*")*)$"#),
            "\"3\"",
        );
        operation.parameters.insert(parameter);
        problem::describe(
            components,
            operation,
            &[Kind::InvalidParameter, Kind::PreconditionFailed],
        );
    }
}
extractor!(IfMatch);

#[cfg(test)]
mod tests {
    use super::{IfMatch, tag};

    #[test]
    fn tags_match_themselves_alone() {
        assert_eq!(IfMatch::parse("*"), Some(IfMatch::Any));
        assert_eq!(IfMatch::parse(&tag(3)), Some(IfMatch::OneOf(vec![3])));
        assert_eq!(
            IfMatch::parse("\"3\", \"7\""),
            Some(IfMatch::OneOf(vec![3, 7]))
        );
        assert_eq!(
            IfMatch::parse("W/\"3\", \"x\""),
            Some(IfMatch::OneOf(vec![]))
        );
        assert_eq!(IfMatch::parse("3"), None);
        assert!(IfMatch::OneOf(vec![3]).check(3).is_ok());
        assert!(IfMatch::OneOf(vec![3]).check(4).is_err());
        assert!(IfMatch::OneOf(vec![]).check(4).is_err());
        assert!(IfMatch::Any.check(4).is_ok());
    }
}
