//! Nobody decides.

use async_trait::async_trait;

use super::{Case, Reply, Resolver};
use crate::Result;

/// The resolver that knows no answer: it declines every conflict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GiveUp;

#[async_trait]
impl Resolver for GiveUp {
    fn name(&self) -> &str {
        "nobody"
    }

    async fn resolve(&self, case: &Case<'_>) -> Result<Reply> {
        Ok(Reply::declined(format!("no resolver is configured; paths in conflict: {}", case.open.len())))
    }
}
