//! What a change may be based on: an entity as it stood once. The number alone would not do, as it
//! begins anew with an entity that is made under a name that another had.

use uuid::Uuid;

/// One revision of one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The entity's id.
    pub of: Uuid,
    /// From 1; rises with every change.
    pub number: i64,
}
