//! How a pool works.

use std::num::NonZeroUsize;

/// How a [`Pool`](crate::pool::Pool) works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// How many trees are held ready. Each takes the room of a checkout on the disk.
    pub slots: NonZeroUsize,
    /// What of the ignored files of a released tree stays in it.
    pub keep: Keep,
    /// What a creation does when no slot can be used for it.
    pub exhausted: Exhausted,
    /// How much of a slot is looked at when it is claimed.
    pub check: Check,
    /// What a process counts as that may not be looked into when a released tree is made ready again.
    pub unseen: Unseen,
}

impl PoolOptions {
    /// So many slots, that keep nothing; a creation that finds none makes its files itself.
    pub fn new(slots: NonZeroUsize) -> Self {
        Self {
            slots,
            keep: Keep::default(),
            exhausted: Exhausted::default(),
            check: Check::default(),
            unseen: Unseen::default(),
        }
    }
}

/// Which ignored files of a released tree stay in it for the next one, such as build caches.
///
/// The default is to keep nothing. What is kept is handed on as the last owner left it: who may write into a build cache
/// may change what the next build makes of it, and a cache of one branch may not suit another. Keep caches only between
/// tasks that trust each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Patterns in the syntax of `.gitignore`, for example `target/` or `web/node_modules/`. They are compared with what
    /// lies directly in a directory of the commit, and only what the commit ignores is kept.
    pub patterns: Vec<String>,
    /// Patterns of files that are deleted even inside of what is kept. Seeded files are deleted in any case.
    pub secrets: Vec<String>,
}

/// The usual names of files with secrets in them. A virtual environment of Python also needs a `cacert.pem`: to keep
/// one, take `*.pem` off the list.
const SECRETS: [&str; 14] = [
    ".env*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "id_rsa*",
    "id_ed25519*",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    "credentials*",
];

impl Default for Keep {
    fn default() -> Self {
        Self { patterns: Vec::new(), secrets: SECRETS.map(str::to_owned).to_vec() }
    }
}

impl Keep {
    /// Keeps what these patterns match, without the usual files with secrets.
    pub fn caches<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Self {
        Self { patterns: patterns.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// What a creation does when no slot can be used for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exhausted {
    /// It makes its files itself, as without a pool.
    #[default]
    Create,
    /// It fails with [`Error::Exhausted`](crate::Error::Exhausted) and leaves nothing behind.
    Refuse,
}

/// How much of a slot is looked at when it is claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// Its root, and every path that differs between its commit and the wanted one. That nobody wrote into the rest rests
    /// on the name of an idle slot, which nobody is told, on its mode, with which other users cannot enter it, and on the
    /// last refill, which looked at all of it.
    #[default]
    Difference,
    /// Every file and every directory. Then the time depends on the size of the repository; it is that of a
    /// `git status`, and what runs as the same user and searches for idle slots is found out as well.
    Everything,
}

/// What a process counts as that this one may not look into.
///
/// A released tree is made ready again only if no process works in it any more. Without privileges, the processes of
/// other users cannot be asked, nor those of the same user in another group.
///
/// Those that could not have written into the tree are elsewhere in any case: those of users whom its owner and mode do
/// not let in, all of them where the tree has been idle since it was made. Root's daemons, and programs that the kernel
/// closes to their own user (`sshd`, `sudo`, agents that hold keys), are taken to be elsewhere too, as they are on every
/// machine. So where agents run as root in containers, and this process does not, release a tree after its container has
/// ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unseen {
    /// It may be at work in a tree that it may write into, which is then not made ready again but replaced.
    #[default]
    Inside,
    /// It is somewhere else. True where agents run as the same user as this process.
    Elsewhere,
}
