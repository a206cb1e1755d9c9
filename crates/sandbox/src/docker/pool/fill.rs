//! Making containers in the background, as many as are wanted.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::probe::reason;
use super::ready::Ready;
use super::{Kind, Pool, locked};

/// How often those that wait are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// The pause after a failure, and how long it gets.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// When the next container of a kind is tried, and how long after a failure.
#[derive(Clone, Copy, Debug)]
struct Pace {
    next: Instant,
    pause: Duration,
}

/// Goes on until nobody has the pool any more. One is made after the other: a command that starts cold needs the engine too. The
/// kinds take turns, and one that cannot be made waits by itself.
pub(super) fn begin(pool: &Arc<Pool>) {
    let wanted = Arc::clone(&pool.wanted);
    let mut paces = vec![Pace { next: Instant::now(), pause: FIRST }; pool.kinds.len()];
    let pool = Arc::downgrade(pool);
    tokio::spawn(async move {
        let mut turn = 0;
        while let Some(idle) = step(&pool, &mut paces, &mut turn).await {
            if !idle.is_zero() {
                drop(timeout(idle, wanted.notified()).await);
            }
        }
    });
}

/// Makes one container, if one is to be made now; how long nothing is to be done.
async fn step(pool: &Weak<Pool>, paces: &mut [Pace], turn: &mut usize) -> Option<Duration> {
    let pool = pool.upgrade().filter(|pool| !pool.over.load(Ordering::Relaxed))?;
    for kind in &pool.kinds {
        for spoilt in spoilt(kind) {
            let _later = spoilt.discard(&pool.lane).await;
        }
    }
    let short: Vec<bool> = pool.kinds.iter().map(|kind| locked(&kind.ready).len() < kind.count).collect();
    let now = Instant::now();
    let Some(index) = due(&short, paces, *turn, now) else {
        let waits = paces.iter().zip(&short).filter(|(_, short)| **short).map(|(pace, _)| pace.next - now);
        return Some(waits.min().map_or(LOOK, |wait| wait.min(LOOK)));
    };
    *turn = index + 1;
    let (kind, pace) = (&pool.kinds[index], &mut paces[index]);
    let _making = pool.making.lock().await;
    if pool.over.load(Ordering::Relaxed) {
        return None;
    }
    match Ready::make(&pool.lane, &kind.shape, kind.trees).await {
        Ok(ready) => {
            *locked(&kind.failed) = None;
            pace.pause = FIRST;
            if let Some(unwanted) = kind.give(ready, &pool.over) {
                let _later = unwanted.discard(&pool.lane).await;
            }
        }
        Err(error) => {
            *locked(&kind.failed) = Some(reason(&error));
            *pace = Pace { next: Instant::now() + pace.pause, pause: (pace.pause * 2).min(LONGEST) };
        }
    }
    Some(Duration::ZERO)
}

/// Of the kinds that are short, the first one from `turn` on whose pause is over.
fn due(short: &[bool], paces: &[Pace], turn: usize, now: Instant) -> Option<usize> {
    let count = short.len();
    (0..count).map(|step| (turn + step) % count).find(|index| short[*index] && paces[*index].next <= now)
}

/// Takes out those that ended, or that said something although nobody asked.
fn spoilt(kind: &Kind) -> Vec<Ready> {
    let mut ready = locked(&kind.ready);
    let (spoilt, good): (Vec<_>, Vec<_>) =
        ready.drain(..).map(|mut one| (one.is_spoilt(), one)).partition(|(spoilt, _)| *spoilt);
    ready.extend(good.into_iter().map(|(_, one)| one));
    spoilt.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_cannot_be_made_lets_the_others_have_their_turn() {
        let now = Instant::now();
        let mut paces = [Pace { next: now, pause: FIRST }; 3];
        let short = [true, true, true];
        assert_eq!(due(&short, &paces, 0, now), Some(0));
        assert_eq!(due(&short, &paces, 1, now), Some(1), "what was tried comes last");
        assert_eq!(due(&short, &paces, 3, now), Some(0));
        paces[0].next = now + FIRST;
        assert_eq!(due(&short, &paces, 0, now), Some(1), "its pause is its own");
        assert_eq!(due(&[true, false, false], &paces, 0, now), None);
        assert_eq!(due(&[true, false, false], &paces, 0, now + FIRST), Some(0));
        assert_eq!(due(&[], &[], 0, now), None);
    }
}
