//! Which names may be beside each other in what lands.

use serde::{Deserialize, Serialize};

/// Which names may be beside each other in the result of a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Names {
    /// All that git's trees can hold, as git merges them: `README` beside `readme` is no conflict.
    #[default]
    Exact,
    /// Names that the usual file systems of macOS and Windows tell apart.
    ///
    /// A merge is a conflict where a file of the target and one of the change have names that differ in upper and lower
    /// case alone ([`ConflictKind::CaseCollision`](crate::ConflictKind::CaseCollision)) or in how Unicode spells them
    /// ([`ConflictKind::UnicodeCollision`](crate::ConflictKind::UnicodeCollision)), so that a checkout there would hold one
    /// of them, and neither side alone has both. What one side has already is not for a merge to refuse. Directories
    /// whose names are alike are one there, and so no conflict. Names that are no UTF-8 are compared by
    /// their ASCII letters. Names that Windows cannot hold at all, such as `aux`, are not looked at.
    Portable,
}
