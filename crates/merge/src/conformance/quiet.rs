//! Rules of what must make no difference, and of what must not change.

use std::thread;
use std::time::Duration;

use super::bench::{Bench, Place, ensure};
use super::situations::{CLASHING, EMPTY, FITTING, NOTHING, UNRELATED};
use super::{Failure, Found, Rule};
use crate::Prepared;

/// Longer than the unit in which a commit's time is counted.
const LATER: Duration = Duration::from_millis(1100);
/// So many prepare at once.
const THREADS: usize = 8;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "only-objects-are-written",
        demand: "Preparing touches no ref, no index, no file of a checkout and nothing else beside the objects.",
        check: untouched,
    },
    Rule {
        name: "the-same-input-makes-the-same",
        demand: "The same change on the same target comes to the same, in another copy of the repository and later too.",
        check: same,
    },
    Rule {
        name: "many-at-once-do-not-disturb-each-other",
        demand: "Many threads that prepare at once get what each of them would have got alone.",
        check: at_once,
    },
];

fn untouched(bench: &Bench) -> Found {
    for situation in [FITTING, CLASHING, NOTHING, &[EMPTY, UNRELATED]].concat() {
        let place = Place::new(&situation)?;
        let before = place.files()?;
        // What comes of it is for other rules.
        let _ = bench.strategy.prepare(&place.repository, &place.target, &place.change);
        let after = place.files()?;
        let changed = before.keys().chain(after.keys()).find(|path| before.get(*path) != after.get(*path));
        ensure!(changed.is_none(), "for {} this changed: {changed:?}.", situation.name);
    }
    Ok(())
}

fn same(bench: &Bench) -> Found {
    let situations = [FITTING, CLASHING].concat();
    let all = || -> Result<Vec<Prepared>, Failure> {
        situations.iter().map(|situation| bench.prepare(&Place::new(situation)?)).collect()
    };
    let first = all()?;
    // With objects there already, by the same handle and by another one.
    for (situation, expected) in situations.iter().zip(&first) {
        let place = Place::new(situation)?;
        bench.prepare(&place)?;
        for again in [bench.prepare(&place)?, bench.prepare_in(&place, &place.opened_again()?)?] {
            ensure!(again == *expected, "{} came to {expected:?}, and again to {again:?}.", situation.name);
        }
    }
    thread::sleep(LATER);
    let later = all()?;
    for ((situation, expected), later) in situations.iter().zip(&first).zip(&later) {
        ensure!(later == expected, "{} came to {expected:?}, and later to {later:?}.", situation.name);
    }
    Ok(())
}

fn at_once(bench: &Bench) -> Found {
    for situation in FITTING {
        let expected = bench.prepare(&Place::new(situation)?)?;
        let place = Place::new(situation)?;
        let all: Result<Vec<_>, Failure> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| bench.prepare(&place))).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|_| Err(Failure::Broken("a thread of it panicked.".into())))
            };
            threads.into_iter().map(join).collect()
        });
        for found in all? {
            ensure!(found == expected, "{} came to {expected:?} alone, and to {found:?}.", situation.name);
        }
    }
    Ok(())
}
