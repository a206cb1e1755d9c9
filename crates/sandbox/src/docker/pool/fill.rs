//! Making containers in the background, as many as are wanted.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::super::probe::reason;
use super::ready::Ready;
use super::{Kind, Pool, discard, locked};

/// How often those that wait are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// The pause after a failure, and how long it gets.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// Goes on until nobody has the pool any more. One is made after the other: a command that starts cold needs the engine too.
pub(super) fn begin(pool: &Arc<Pool>) {
    let wanted = Arc::clone(&pool.wanted);
    let pool = Arc::downgrade(pool);
    tokio::spawn(async move {
        let mut pause = FIRST;
        while let Some(step) = step(&pool).await {
            match step {
                Step::Made => pause = FIRST,
                Step::Enough => drop(timeout(LOOK, wanted.notified()).await),
                Step::Failed => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
    });
}

enum Step {
    Made,
    Enough,
    Failed,
}

async fn step(pool: &Weak<Pool>) -> Option<Step> {
    let pool = pool.upgrade().filter(|pool| !pool.over.load(Ordering::Relaxed))?;
    for kind in &pool.kinds {
        for spoilt in spoilt(kind) {
            discard(&pool.lane, spoilt).await;
        }
    }
    let Some(kind) = pool.kinds.iter().find(|kind| locked(&kind.ready).len() < kind.count) else {
        return Some(Step::Enough);
    };
    let _making = pool.making.lock().await;
    if pool.over.load(Ordering::Relaxed) {
        return None;
    }
    match Ready::make(&pool.lane, &kind.shape, kind.trees).await {
        Ok(ready) => {
            *locked(&kind.failed) = None;
            if let Some(unwanted) = kind.give(ready, &pool.over) {
                discard(&pool.lane, unwanted).await;
            }
            Some(Step::Made)
        }
        Err(error) => {
            *locked(&kind.failed) = Some(reason(&error));
            Some(Step::Failed)
        }
    }
}

/// Takes out those that ended, or that said something although nobody asked.
fn spoilt(kind: &Kind) -> Vec<Ready> {
    let mut ready = locked(&kind.ready);
    let (spoilt, good): (Vec<_>, Vec<_>) =
        ready.drain(..).map(|mut one| (one.is_spoilt(), one)).partition(|(spoilt, _)| *spoilt);
    ready.extend(good.into_iter().map(|(_, one)| one));
    spoilt.into_iter().map(|(_, one)| one).collect()
}
