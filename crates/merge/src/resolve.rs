//! The seam for whoever resolves conflicts.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{CommitId, Conflict, Result};

/// Somebody who may know how to resolve a conflict: a rule, an agent, a person.
#[async_trait]
pub trait Resolver: Debug + Send + Sync + 'static {
    /// Resolves the conflict or declines. A resolution is a new change; it is prepared and gated like any other.
    ///
    /// # Errors
    /// When the resolver itself failed; not knowing an answer is [`Resolution::Declined`].
    async fn resolve(&self, conflict: &Conflict) -> Result<Resolution>;
}

/// What a [`Resolver`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// A commit that descends from both sides.
    Resolved {
        /// That commit.
        tip: CommitId,
    },
    /// No answer.
    Declined {
        /// Why.
        why: String,
    },
}

/// The resolver that knows no answer: it declines every conflict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GiveUp;

#[async_trait]
impl Resolver for GiveUp {
    async fn resolve(&self, conflict: &Conflict) -> Result<Resolution> {
        let count = conflict.paths.len();
        Ok(Resolution::Declined { why: format!("no resolver is configured; paths in conflict: {count}") })
    }
}
