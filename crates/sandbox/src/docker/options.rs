//! Which engine and which image.

use std::path::PathBuf;

use crate::Labels;

/// How to reach an engine, and what its containers are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerOptions {
    /// The image, as a name with a tag or as an id. It has to be on the engine already: nothing is ever pulled.
    pub image: String,
    /// The engine's socket; `/var/run/docker.sock` without one.
    pub socket: Option<PathBuf>,
    /// Pairs that every container of this lane carries on top of its sandbox's own, to tell the containers of one
    /// installation from those of another on the same engine. Only sandboxes that carry them are listed and adopted.
    pub labels: Labels,
}

impl DockerOptions {
    /// This image on the machine's own engine.
    pub fn new(image: impl Into<String>) -> Self {
        Self { image: image.into(), socket: None, labels: Labels::new() }
    }

    /// The same with the engine behind this socket.
    #[must_use]
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = Some(path.into());
        self
    }

    /// The same with one more label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }
}
