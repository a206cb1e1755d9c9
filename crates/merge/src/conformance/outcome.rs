//! Rules of what comes out.

use super::bench::{Bench, Place, ensure};
use super::situations::{CLASHING, EMPTY, FITTING, NOTHING, UNRELATED};
use super::{Found, Rule};
use crate::{Change, CommitId, Prepared, Target};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "nothing-to-do-is-said",
        demand: "A change that is the target, or that the target contains, makes no candidate and is no conflict.",
        check: nothing,
    },
    Rule {
        name: "an-empty-change-changes-nothing",
        demand: "A change that does nothing is no conflict, and no candidate of it drops anything of the target unsaid.",
        check: empty,
    },
    Rule {
        name: "a-conflict-is-a-value",
        demand: "Where both sides changed the same, that is a conflict with its paths, a refusal, or a candidate that says \
                 what it drops; never an error.",
        check: conflict,
    },
    Rule {
        name: "unrelated-histories-are-a-value",
        demand: "Histories without a commit in common are no error.",
        check: unrelated,
    },
    Rule {
        name: "bad-input-is-an-error",
        demand: "An id that names nothing, or no commit, is an error, and nothing changes.",
        check: bad,
    },
];

fn nothing(bench: &Bench) -> Found {
    for situation in NOTHING {
        let prepared = bench.prepare(&Place::new(situation)?)?;
        let said = matches!(prepared, Prepared::AlreadyMerged | Prepared::Empty | Prepared::Refused(_));
        ensure!(said, "{} came to {prepared:?}.", situation.name);
    }
    Ok(())
}

fn empty(bench: &Bench) -> Found {
    let place = Place::new(&EMPTY)?;
    match bench.prepare(&place)? {
        Prepared::Conflict(conflict) => ensure!(false, "it was a conflict: {conflict:?}."),
        Prepared::Candidate(made) if made.dropped.is_empty() => {
            let (before, after) = (place.tree(&place.target.expected)?, place.tree(&made.commit)?);
            ensure!(before == after, "the candidate has other files than the target.");
        }
        _ => {}
    }
    Ok(())
}

fn conflict(bench: &Bench) -> Found {
    for situation in CLASHING {
        let place = Place::new(situation)?;
        match bench.prepare(&place)? {
            Prepared::Conflict(conflict) => {
                let whole = conflict.paths.iter().any(|path| path.path.is_empty());
                let contested = situation.target[0][0].path;
                let named = conflict.paths.iter().any(|path| path.path.as_bytes() == contested.as_bytes());
                ensure!(whole || named, "{} did not name {contested:?}: {conflict:?}.", situation.name);
            }
            Prepared::Candidate(made) => {
                ensure!(!made.dropped.is_empty(), "{} came to a candidate that drops nothing.", situation.name);
            }
            Prepared::Refused(_) => {}
            other => ensure!(false, "{} came to {other:?}.", situation.name),
        }
    }
    Ok(())
}

fn unrelated(bench: &Bench) -> Found {
    let prepared = bench.prepare(&Place::new(&UNRELATED)?)?;
    let nothing = matches!(prepared, Prepared::AlreadyMerged | Prepared::Empty);
    ensure!(!nothing, "it was said that there is nothing to do: {prepared:?}.");
    Ok(())
}

fn bad(bench: &Bench) -> Found {
    let place = Place::new(&FITTING[1])?;
    let before = place.files()?;
    let file = place.tree(&place.target.expected)?.values().next().map(|(_, id)| id.to_string());
    let strange = ["0123456789012345678901234567890123456789".to_owned(), file.unwrap_or_default()];
    for id in strange {
        let id = CommitId::new(id)?;
        let change = Change { tip: id.clone(), ..place.change.clone() };
        let prepared = bench.strategy.prepare(&place.repository, &place.target, &change);
        ensure!(prepared.is_err(), "a change whose tip is {id}, which is no commit, came to {prepared:?}.");
        let target = Target { expected: id.clone(), ..place.target.clone() };
        let prepared = bench.strategy.prepare(&place.repository, &target, &place.change);
        ensure!(prepared.is_err(), "a target at {id}, which is no commit, came to {prepared:?}.");
    }
    ensure!(place.files()? == before, "something in the repository changed.");
    Ok(())
}
