//! What all merges of one repository came to.

use std::collections::BTreeMap;
use std::time::Duration;

use hedgerow_merge::Trial;

use super::Replayed;
use super::oracle::Answer;
use super::pairs::Pair;
use crate::table::Table;

/// How many deviations are listed.
const LISTED: usize = 40;

/// Counts of one repository.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) name: String,
    merges: usize,
    /// Those whose histories crossed.
    crossed: usize,
    already: usize,
    same_tree: usize,
    other_tree: usize,
    both_conflict: usize,
    both_refuse: usize,
    /// git finds a conflict and we do not.
    we_clean: usize,
    /// We find a conflict and git does not.
    git_clean: usize,
    /// We could not say.
    we_failed: usize,
    /// git could not say.
    git_failed: usize,
    kinds: BTreeMap<String, usize>,
    deviations: Vec<String>,
    /// What each merge cost us and git.
    pub(crate) costs: Vec<[Duration; 2]>,
    /// What the merge that cost us most cost, and which it was.
    pub(crate) worst: (Duration, String),
}

impl Tally {
    pub(crate) fn count(&mut self, pair: &Pair, replayed: &Replayed) {
        self.merges += 1;
        self.crossed += usize::from(match &replayed.ours {
            Ok(Trial::Clean { bases, .. }) => bases.len() > 1,
            Ok(Trial::Conflict(conflict)) => conflict.bases.len() > 1,
            _ => false,
        });
        if let Ok(Trial::Conflict(conflict)) = &replayed.ours {
            for path in &conflict.paths {
                *self.kinds.entry(format!("{:?}", path.kind)).or_default() += 1;
            }
        }
        if let Some(cost) = replayed.cost {
            self.costs.push(cost);
            if cost[0] > self.worst.0 {
                self.worst = (cost[0], format!("{},{}", pair.ours, pair.theirs));
            }
        }
        let counter = match (&replayed.ours, &replayed.git) {
            (Err(_), Answer::Refused(_)) => &mut self.both_refuse,
            (Err(_), _) => &mut self.we_failed,
            (Ok(Trial::Conflict(_)), Answer::Refused(_)) if replayed.agrees() => &mut self.both_refuse,
            (Ok(_), Answer::Refused(_)) => &mut self.git_failed,
            (Ok(Trial::AlreadyMerged), _) => &mut self.already,
            (Ok(Trial::Clean { .. }), Answer::Clean(_)) if replayed.agrees() => &mut self.same_tree,
            (Ok(Trial::Clean { .. }), Answer::Clean(_)) => &mut self.other_tree,
            (Ok(Trial::Clean { .. }), Answer::Conflict) => &mut self.we_clean,
            (Ok(Trial::Conflict(_)), Answer::Conflict) => &mut self.both_conflict,
            (Ok(Trial::Conflict(_)), Answer::Clean(_)) => &mut self.git_clean,
        };
        *counter += 1;
        if !replayed.agrees() && self.deviations.len() < LISTED {
            self.deviations.push(deviation(pair, replayed));
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.merges += other.merges;
        self.crossed += other.crossed;
        self.already += other.already;
        self.same_tree += other.same_tree;
        self.other_tree += other.other_tree;
        self.both_conflict += other.both_conflict;
        self.both_refuse += other.both_refuse;
        self.we_clean += other.we_clean;
        self.git_clean += other.git_clean;
        self.we_failed += other.we_failed;
        self.git_failed += other.git_failed;
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        self.deviations.extend(other.deviations);
        self.costs.extend(other.costs);
        if other.worst.0 > self.worst.0 {
            self.worst = other.worst;
        }
    }

    pub(crate) fn missed(&self) -> Vec<String> {
        let bars =
            [(self.other_tree, "different clean trees"), (self.we_clean, "git's conflicts that were clean here")];
        bars.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{}: {n} {what}", self.name)).collect()
    }
}

fn deviation(pair: &Pair, replayed: &Replayed) -> String {
    let ours = match &replayed.ours {
        Err(error) => format!("error: {error}"),
        Ok(Trial::AlreadyMerged) => "already merged".into(),
        Ok(Trial::Clean { tree, bases }) => format!("clean {tree}, {} bases", bases.len()),
        Ok(Trial::Conflict(conflict)) => {
            let paths: Vec<_> = conflict.paths.iter().take(3).map(|p| format!("{:?} {}", p.kind, p.path)).collect();
            format!("conflict, {} bases: {}", conflict.bases.len(), paths.join(", "))
        }
    };
    format!("{},{}  {ours}  git: {:?}", pair.ours, pair.theirs, replayed.git)
}

/// One row per repository.
pub(crate) fn table(tallies: &[Tally]) -> Table {
    let mut table = Table::new(
        "Merges of real histories, made again",
        [
            "repository",
            "merges",
            "crossed",
            "already merged",
            "both clean, same tree",
            "both clean, different tree",
            "both conflict",
            "git conflicts, we are clean",
            "we conflict, git is clean",
            "both refuse",
            "only we failed",
            "only git failed",
        ],
    );
    for tally in tallies {
        let numbers = [
            tally.merges,
            tally.crossed,
            tally.already,
            tally.same_tree,
            tally.other_tree,
            tally.both_conflict,
            tally.we_clean,
            tally.git_clean,
            tally.both_refuse,
            tally.we_failed,
            tally.git_failed,
        ];
        table.row(std::iter::once(tally.name.clone()).chain(numbers.map(|number| number.to_string())));
    }
    table
}

/// Which kinds of conflicts were found.
pub(crate) fn kinds(tallies: &[Tally]) -> Table {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for tally in tallies {
        for (kind, count) in &tally.kinds {
            *kinds.entry(kind).or_default() += count;
        }
    }
    let mut table = Table::new("Paths in conflict, by kind", ["kind", "paths"]);
    for (kind, count) in kinds {
        table.row([kind.to_owned(), count.to_string()]);
    }
    table
}

/// Each merge on which the two did not agree.
pub(crate) fn deviations(tallies: &[Tally]) -> Option<Table> {
    let mut table = Table::new("Where they did not agree", ["repository", "merge, and what came of it"]);
    let mut any = false;
    for tally in tallies {
        for deviation in &tally.deviations {
            any = true;
            table.row([tally.name.clone(), deviation.clone()]);
        }
    }
    any.then_some(table)
}
