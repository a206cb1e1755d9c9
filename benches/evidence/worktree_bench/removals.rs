//! What it takes until a removal returns: with a look for work that would be lost, and without one.

use super::floor;
use super::fresh::Ground;
use super::run::Place;
use super::sample::Samples;
use super::variant::Variant;
use super::{BARRED, verdict};
use crate::Failure;
use crate::table::{Evidence, Table};

/// How many times faster than git's a removal has to be.
const BAR: f64 = 20.0;

/// One way of git's to remove, and the one of hedgerow's that promises at least as much.
struct Pair {
    git: (&'static str, Variant),
    hedgerow: (&'static str, Variant),
    floor: (&'static str, f64),
}

/// Adds the table of removals.
pub(super) fn removals(
    ground: &Ground,
    samples: &Samples,
    count: usize,
    title: &str,
    evidence: &mut Evidence,
) -> Result<(), Failure> {
    let floors = |place: &Place| Ok((floor::removal(&place.trees, count)?, floor::scan(&place.repo, count)?));
    let (durable, scan) = ground.with(floors)?;
    let pairs = [
        Pair {
            git: ("git worktree remove", Variant::GitW2),
            hedgerow: ("hedgerow, archiving", Variant::Copy),
            floor: ("floor: every directory listed, every file looked at, a record made durable", scan + durable),
        },
        Pair {
            git: ("git worktree remove --force", Variant::Git),
            hedgerow: ("hedgerow, discarding", Variant::Discard),
            floor: ("floor: a record made durable", durable),
        },
    ];
    let title = format!("{title}: {count} at once, removed");
    let mut table = Table::new(title.clone(), ["what", "returns after s", "times faster", "bar"]);
    for Pair { git, hedgerow, floor } in pairs {
        let took = |variant| samples.median(variant, |sample| sample.remove);
        let (gits, own) = (took(git.1), took(hedgerow.1));
        let ratio = |took: f64| gits.map(|gits| gits / took);
        let said = verdict(
            own.and_then(ratio),
            ratio(floor.1),
            (count <= BARRED).then_some(BAR),
            || format!("{title}, {}", hedgerow.0),
            evidence,
        );
        for (what, took, said) in
            [(git.0, gits, String::new()), (hedgerow.0, own, said), (floor.0, Some(floor.1), String::new())]
        {
            let figure =
                |value: Option<f64>, digits: usize| value.map_or_else(String::new, |v| format!("{v:.digits$}"));
            table.row([what.to_owned(), figure(took, 4), figure(took.and_then(ratio), 1), said]);
        }
    }
    evidence.tables.push(table);
    Ok(())
}
