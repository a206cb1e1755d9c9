//! Names that mean something to whoever drives the queue, and are only compared here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes any text.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

opaque!(
    /// A change that shall land, under the same name in all of its attempts: usually the id of a task.
    ChangeId
);
opaque!(
    /// The id of a tree: equal ids are equal files.
    TreeId
);
opaque!(
    /// A digest of what a gate runs, or of what it runs in.
    Digest
);
opaque!(
    /// A group of variants, of which only one may land.
    GroupId
);

impl Digest {
    /// The digest that git has of a file with this content, as `git hash-object --stdin` tells it.
    ///
    /// # Errors
    /// [`Error::Git`](crate::Error::Git) when the content tries to collide with another one.
    pub fn of(content: &[u8]) -> Result<Self> {
        let digest = gix::objs::compute_hash(gix::hash::Kind::Sha1, gix::objs::Kind::Blob, content);
        Ok(Self(digest.map_err(Error::git("make a digest"))?.to_string()))
    }
}

/// The place of a change in the order of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seq(pub(crate) u64);
