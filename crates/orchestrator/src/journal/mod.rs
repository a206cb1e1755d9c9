//! The durable memory of a run.

mod file;
mod frame;

use std::fmt::Debug;

use async_trait::async_trait;

pub use file::FileJournal;

use crate::{Event, Result};

/// The version of the records. A journal of a higher version is refused; lower ones are read.
///
/// 2: agents may be asked again (`Stage::Again`).
pub const FORMAT: u32 = 2;

/// Keeps the events of one run.
#[async_trait]
pub trait Journal: Debug + Send + 'static {
    /// Appends an event. It is durable when this returns.
    ///
    /// # Errors
    /// When it could not be made durable; the journal is then as it was before.
    async fn append(&mut self, event: &Event) -> Result<()>;

    /// All events that were appended, in order.
    ///
    /// # Errors
    /// When the journal cannot be read, or is damaged elsewhere than in its unfinished last record.
    async fn replay(&self) -> Result<Vec<Event>>;
}
