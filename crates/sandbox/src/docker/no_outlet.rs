//! In place of a way out, where the crate is built without egress or for a system without namespaces: there is none.

use std::convert::Infallible;

use crate::{Error, Result, Spec};

use super::engine::Engine;

#[derive(Clone, Debug, Default)]
pub(super) struct Setting(());

#[derive(Debug)]
pub(super) struct Outlet(Infallible);

#[derive(Clone, Debug)]
pub(super) struct Outlets(Infallible);

pub(super) const VARIABLES: [(&str, &str); 0] = [];

pub(super) fn problem() -> Option<String> {
    Some("this program was built without the feature 'egress' of hedgerow-sandbox, or not for Linux".into())
}

/// Never resolves.
pub(super) async fn broken(_: &mut Option<Outlet>) -> Error {
    std::future::pending().await
}

/// Never called.
pub(super) fn close(outlet: Outlet) {
    match outlet.0 {}
}

impl Outlets {
    pub(super) fn new(_: &Setting, _: &Spec) -> Option<Self> {
        None
    }

    pub(super) async fn open(&self, _: &Engine, _: &str) -> Result<Option<Outlet>> {
        match self.0 {}
    }
}
