//! Which engine, which image, and how its containers are made.

use std::path::PathBuf;
use std::time::Duration;

use crate::Labels;

/// How to reach an engine, and what its containers are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DockerOptions {
    /// The image: a name with a tag, a name with a digest (`name@sha256:…`), or an id. What it stands for is looked up once, when
    /// the lane connects; a tag that moves later changes nothing.
    pub image: String,
    /// What to do when the engine does not have the image.
    pub pull: Pull,
    /// The engine's socket; `/var/run/docker.sock` without one.
    pub socket: Option<PathBuf>,
    /// How long the engine may be out of reach before a command counts as lost, and a request as failed: an engine that is
    /// restarted is given this time.
    pub patience: Duration,
    /// The name of an OCI runtime that the engine knows, for example `runsc` (gVisor) or `kata`; the engine's default without
    /// one.
    pub runtime: Option<String>,
    /// What may be done with files in the directories in memory.
    pub scratch: Scratch,
    /// Pairs that every container of this lane carries on top of its sandbox's own, to tell the containers of one
    /// installation from those of another on the same engine. Only sandboxes that carry them are listed, adopted and reaped.
    pub labels: Labels,
}

/// What to do when the engine does not have the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    /// Nothing: that is an error.
    #[default]
    Never,
    /// The engine fetches it from the registry that its name stands for, without credentials.
    WhenMissing,
}

/// What may be done with files in the directories in memory: `/tmp`, a home of the command's own, and the volumes that the
/// image declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scratch {
    /// They are read and written, and not executed. Programs are run from the image and from mounts.
    #[default]
    Data,
    /// Programs can be run from there too, as some builds and test runners want it: `configure` scripts, or the tests in
    /// comments that `cargo test` runs.
    Programs,
}

impl DockerOptions {
    /// This image on the machine's own engine, with half a minute of patience.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            pull: Pull::default(),
            socket: None,
            patience: Duration::from_secs(30),
            runtime: None,
            scratch: Scratch::default(),
            labels: Labels::new(),
        }
    }

    /// The same with the engine behind this socket.
    #[must_use]
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = Some(path.into());
        self
    }

    /// The same with this patience.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same with this rule for a missing image.
    #[must_use]
    pub fn pull(mut self, pull: Pull) -> Self {
        self.pull = pull;
        self
    }

    /// The same with this OCI runtime.
    #[must_use]
    pub fn runtime(mut self, name: impl Into<String>) -> Self {
        self.runtime = Some(name.into());
        self
    }

    /// The same with this use of the directories in memory.
    #[must_use]
    pub fn scratch(mut self, scratch: Scratch) -> Self {
        self.scratch = scratch;
        self
    }

    /// The same with one more label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }
}
