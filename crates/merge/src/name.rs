//! Names that are checked once, when they are made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text and makes it a name.
            ///
            /// # Errors
            /// [`Error::InvalidName`] with what is wrong and what is expected.
            pub fn new(text: impl Into<String>) -> Result<Self> {
                let text = text.into();
                match $check(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(problem) => Err(Error::InvalidName { what: $what, name: text, problem }),
                }
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

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

name!(
    /// A branch without `refs/heads/`, valid by git's own rules.
    BranchName,
    "branch name",
    check_branch
);

name!(
    /// A full object id of a commit: 40 lower-case hexadecimal digits, or 64 for SHA-256.
    CommitId,
    "commit id",
    check_commit
);

name!(
    /// A full object id of a tree, written like a [`CommitId`].
    TreeId,
    "tree id",
    check_commit
);

name!(
    /// Names a conflict, the same way in every worktree, clone and process: 40 lower-case hexadecimal digits.
    ConflictId,
    "conflict id",
    check_commit
);

fn check_branch(text: &str) -> std::result::Result<(), &'static str> {
    if text.len() > 200 {
        return Err("use at most 200 bytes");
    }
    if text.starts_with('-') || text == "HEAD" || text == "@" || text.starts_with("refs/") {
        return Err("give the short name of a branch, not 'HEAD', '@', 'refs/…' or an option");
    }
    match gix::validate::reference::name(format!("refs/heads/{text}").as_str().into()) {
        Ok(_) => Ok(()),
        Err(_) => Err("git refuses this as a ref name (see git-check-ref-format)"),
    }
}

fn check_commit(text: &str) -> std::result::Result<(), &'static str> {
    let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex && matches!(text.len(), 40 | 64) { Ok(()) } else { Err("use 40 or 64 lower-case hexadecimal digits") }
}
