//! What the embedding program adds to the view of a native sandbox.

use std::path::PathBuf;

/// How the native lane sets its sandboxes up, beyond what a [`Spec`](crate::Spec) says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NativeOptions {
    /// Paths of the host that every sandbox can read and run programs from, besides the system's own: toolchains in a
    /// home directory, for instance.
    pub system: Vec<PathBuf>,
    /// Whether a kernel without Landlock will do.
    pub landlock: Demand,
    /// By what to confine programs; without one, by the best that this machine has.
    pub mechanism: Option<Mechanism>,
}

/// By what the native lane confines programs, from the best on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mechanism {
    /// Namespaces of their own, with a root directory of their own, behind which Landlock stands.
    Namespaces,
    /// The system's bubblewrap, which may make namespaces where this program may not: it is setuid, or has a profile of its own.
    /// For an ordinary user. The view and the system call filter are those of [`Namespaces`](Self::Namespaces); there is no
    /// Landlock behind them, no way to a list of endpoints, and a status above 128 may not say whether it was a signal
    /// ([`End::ExitedOrSignaled`](crate::End::ExitedOrSignaled)). The lane's name is then `bubblewrap`.
    Bubblewrap,
    /// Landlock and the system call filter alone, for an ordinary user on Linux 6.12 or later. Paths are where they are on
    /// the host, there is no network, and files and processes outside can be seen though neither used nor changed in
    /// content. [`Coverage`](crate::Coverage) says what that leaves; policies that require more refuse it.
    Landlock,
}

/// Whether the native lane may do without something that not every kernel has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// It is used where the kernel has it, and [`NativeSandbox::facts`](crate::NativeSandbox::facts) says whether it is.
    #[default]
    WhereAvailable,
    /// The lane is not available without it.
    Required,
}

impl NativeOptions {
    /// The same options with one more readable path.
    #[must_use]
    pub fn system(mut self, path: impl Into<PathBuf>) -> Self {
        self.system.push(path.into());
        self
    }

    /// The same options with another demand for Landlock.
    #[must_use]
    pub fn landlock(mut self, demand: Demand) -> Self {
        self.landlock = demand;
        self
    }

    /// The same options with this mechanism and no other.
    #[must_use]
    pub fn mechanism(mut self, mechanism: Mechanism) -> Self {
        self.mechanism = Some(mechanism);
        self
    }
}
