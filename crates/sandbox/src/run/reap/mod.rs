//! The end of what embedding programs left that are dead for certain, with their supervisors: processes, control groups, secrets
//! and scratch directories.

pub(crate) mod files;
mod groups;

use tokio::sync::watch;

use super::life::Life;
use super::marked;

/// That it is looked for; it goes on when this is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Reaping(watch::Receiver<()>);

/// Whether control groups are looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Groups {
    LookedThrough,
    LeftAlone,
}

impl Reaping {
    /// Begins, on a thread of its own: what was killed takes a moment to be gone.
    pub(crate) fn begin(groups: Groups) -> Self {
        let (going, over) = watch::channel(());
        let body = move || {
            reap(groups);
            drop(going);
        };
        // Without a thread nothing is reaped now, but by whoever makes a lane next; nothing that is promised of one's own
        // commands depends on it.
        drop(std::thread::Builder::new().name("hedgerow-reaper".into()).spawn(body));
        Self(over)
    }

    /// Waits until all is gone that can be brought to an end.
    pub(crate) async fn done(&self) {
        let mut over = self.0.clone();
        // An error is what this waits for: the sender is gone.
        while over.changed().await.is_ok() {}
    }
}

fn reap(groups: Groups) {
    let Some(judge) = Life::ours() else { return };
    if groups == Groups::LookedThrough {
        groups::reap(judge);
    }
    marked::kill_of_the_dead(judge);
    // When nobody writes there any more.
    files::reap(judge);
}
