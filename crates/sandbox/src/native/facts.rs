//! What a probe found, for the embedding program to report.

use super::Mechanism;

/// How the native lane keeps what it promises on this machine.
///
/// [`Sandbox::coverage`](crate::Sandbox::coverage) says what holds; this says by what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NativeFacts {
    /// By what programs are confined.
    pub mechanism: Mechanism,
    /// Why it is not by namespaces, and the cure.
    pub denied: Option<String>,
    /// The version of Landlock that stands behind the namespaces as a second wall; or why there is none, and the cure.
    ///
    /// From version 2 on it confines the program to reading what is below its own root and to writing what is for
    /// writing; from 3 on that includes truncating; from 5 on it confines requests to devices; from 6 on, signals and
    /// connections to abstract sockets, which matters most with the host's network.
    pub landlock: Result<u32, String>,
    /// The control groups that keep limits, each as its controllers, version and place; none where none can be made.
    pub groups: Vec<String>,
}
