//! What the embedding program adds to the view of a native sandbox.

use std::path::PathBuf;

/// How the native lane sets its sandboxes up, beyond what a [`Spec`](crate::Spec) says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NativeOptions {
    /// Paths of the host that every sandbox can read and run programs from, besides the system's own: toolchains in a
    /// home directory, for instance.
    pub system: Vec<PathBuf>,
}

impl NativeOptions {
    /// The same options with one more readable path.
    #[must_use]
    pub fn system(mut self, path: impl Into<PathBuf>) -> Self {
        self.system.push(path.into());
        self
    }
}
