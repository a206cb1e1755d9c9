//! In place of mounting into containers, where there is no Linux: nothing can be.

use std::convert::Infallible;

use crate::Result;

use super::super::engine::Engine;
use super::plan::Tree;

#[derive(Debug)]
pub(super) struct Door(Infallible);

pub(super) fn problem() -> Option<String> {
    Some("this system is not Linux".into())
}

impl Door {
    /// Never called.
    pub(super) async fn of(_: &Engine, _: &str) -> Result<Self> {
        Err(crate::Error::Lane {
            action: "enter a container's mounts".into(),
            source: "this system is not Linux".into(),
        })
    }

    pub(super) async fn attach(self, _: Vec<Tree>) -> std::io::Result<()> {
        match self.0 {}
    }
}
