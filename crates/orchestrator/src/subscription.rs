//! Watching a run while it goes on.

use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::Live;

/// What happens in a fleet from the moment of subscribing on; made by [`Fleet::subscribe`](crate::Fleet::subscribe).
///
/// A slow reader holds nobody up: it misses the oldest messages and is told how many.
#[derive(Debug)]
pub struct Subscription(Receiver<Live>);

impl Subscription {
    pub(crate) fn new(receiver: Receiver<Live>) -> Self {
        Self(receiver)
    }

    /// The next message, or none when the fleet is gone. Cancel safe.
    pub async fn next(&mut self) -> Option<Live> {
        match self.0.recv().await {
            Ok(live) => Some(live),
            Err(RecvError::Lagged(missed)) => Some(Live::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}
