//! `ETag` and `If-Match`: a change is refused when what it was based on has changed since, or is gone
//! and another stands under its name.

use salvo::oapi::{BasicType, Components, Object, Operation, ParameterIn};
use salvo::{Depot, Request};
use stepwell_queue::Revision;
use uuid::Uuid;

use crate::extract::{Take, extractor};
use crate::openapi::optional;
use crate::problem::{self, Fault, Kind, Problem};

/// Returns the tag of an entity at one of its revisions.
#[must_use]
pub fn tag(of: Uuid, number: i64) -> String {
    format!("\"{of}.{number}\"")
}

/// Returns the tag of an entity as it was made.
#[must_use]
pub fn first(of: Uuid) -> String {
    tag(of, 1)
}

/// The problem of a change that was based on another revision.
#[must_use]
pub fn stale(current: Revision) -> Problem {
    Problem::new(
        Kind::PreconditionFailed,
        format!(
            "The current ETag is {}. Read it again and decide anew.",
            tag(current.of, current.number)
        ),
    )
}

/// The `If-Match` header, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Absent or `*`: whatever there is.
    Any,
    /// One of these revisions. A weak tag, or one that we never gave, matches none.
    OneOf(Vec<Revision>),
}

impl IfMatch {
    /// Says whether the change may go on.
    ///
    /// # Errors
    /// 412 when the current revision is not one of those named.
    pub fn check(&self, of: Uuid, number: i64) -> Result<(), Problem> {
        let current = Revision { of, number };
        match self.revisions() {
            Some(named) if !named.contains(&current) => Err(stale(current)),
            _ => Ok(()),
        }
    }

    /// Returns the revisions that the change may be based on; `None` is any.
    #[must_use]
    pub fn revisions(&self) -> Option<&[Revision]> {
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
            revisions.extend(revision(inner).filter(|_| strong));
        }
        Some(Self::OneOf(revisions))
    }
}

/// Reads what stands between the quotes of a tag that we gave.
fn revision(text: &str) -> Option<Revision> {
    let (of, number) = text.split_once('.')?;
    Some(Revision {
        of: Uuid::try_parse(of).ok()?,
        number: number.parse().ok()?,
    })
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
            "\"0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41.3\"",
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
    use super::{IfMatch, Revision, tag};
    use uuid::Uuid;

    #[test]
    fn tags_match_themselves_alone() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let of = |numbers: &[i64]| {
            let numbers = numbers.iter();
            IfMatch::OneOf(
                numbers
                    .map(|&number| Revision { of: one, number })
                    .collect(),
            )
        };
        assert_eq!(IfMatch::parse("*"), Some(IfMatch::Any));
        assert_eq!(IfMatch::parse(&tag(one, 3)), Some(of(&[3])));
        let both = format!("{}, {}", tag(one, 3), tag(one, 7));
        assert_eq!(IfMatch::parse(&both), Some(of(&[3, 7])));
        let neither = format!("W/{}, \"x\", \"3\", \"x.3\"", tag(one, 3));
        assert_eq!(IfMatch::parse(&neither), Some(of(&[])));
        assert_eq!(IfMatch::parse("3"), None);
        assert!(of(&[3]).check(one, 3).is_ok());
        assert!(of(&[3]).check(one, 4).is_err());
        assert!(
            of(&[3]).check(other, 3).is_err(),
            "another by the same name"
        );
        assert!(of(&[]).check(one, 4).is_err());
        assert!(IfMatch::Any.check(one, 4).is_ok());
    }
}
