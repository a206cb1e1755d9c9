//! A process around a process.

use std::convert::Infallible;
use std::future::pending;

use crate::{Exit, Process, Result, Stopper};

/// The two handles on one command.
#[derive(Debug)]
pub(super) struct Link {
    outer: Stopper,
    inner: Stopper,
}

impl Link {
    /// Passes a kill on at once that is on its way.
    pub(super) fn hasten(&self) {
        if self.outer.killed() {
            self.inner.kill();
        }
    }
}

/// A process that is the inner one, but for `ended`, which learns of its end before anybody else does.
pub(super) fn relay(inner: Process, ended: impl FnOnce(&Result<Exit>) + Send + 'static) -> (Process, Link) {
    let (outer, feed) = Process::channel();
    let stopper = inner.stopper();
    let link = Link { outer: outer.stopper(), inner: stopper.clone() };
    tokio::spawn(async move {
        let demands = async {
            feed.stop_requested().await;
            stopper.stop();
            feed.kill_requested().await;
            stopper.kill();
            pending::<Infallible>().await
        };
        let to_the_end = async {
            let mut inner = inner;
            while let Some(output) = inner.next().await {
                feed.send(output).await;
            }
            inner.wait().await
        };
        let exit = tokio::select! {
            exit = to_the_end => exit,
            never = demands => match never {},
        };
        ended(&exit);
        feed.finish(exit);
    });
    (outer, link)
}
