//! What lands before what.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::survey::Place;
use super::{Entry, Forecast};
use crate::Conflict;
use crate::queue::{ChangeId, Seq};

/// What to expect of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Foreseen {
    /// The change.
    pub change: ChangeId,
    /// What to expect of it.
    pub outlook: Outlook,
}

/// Whether a change would land.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Outlook {
    /// It lands after everything that is listed before it.
    Lands,
    /// It conflicts with changes that are listed before it; one of both sides has to be done again.
    Clashes {
        /// Those changes.
        with: Vec<ChangeId>,
    },
    /// It conflicts with the target as it is.
    Blocked {
        /// What landing it comes to.
        conflict: Conflict,
    },
}

impl Forecast {
    /// What would land, in an order in which most does, then what would not.
    ///
    /// What conflicts with the fewest others comes first, the smaller before the larger, so that little has to be done
    /// again. The order is the same for the same changes.
    pub fn order(&self) -> Vec<Foreseen> {
        let mut rivals: BTreeMap<Seq, Vec<Seq>> = BTreeMap::new();
        for (one, other) in self.clashes.keys() {
            rivals.entry(*one).or_default().push(*other);
            rivals.entry(*other).or_default().push(*one);
        }
        let mut all: Vec<(&Seq, &Entry)> = self.entries.iter().collect();
        let rank = |seq: &Seq, entry: &Entry| {
            (rivals.get(seq).map_or(0, Vec::len), entry.surveyed.footprint.lines, entry.change.clone())
        };
        all.sort_by_cached_key(|(seq, entry)| rank(seq, entry));
        let (mut lands, mut rest, mut first) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (seq, entry) in all {
            let change = entry.change.clone();
            let with: Vec<_> =
                rivals.get(seq).into_iter().flatten().filter_map(|rival| first.get(rival).cloned()).collect();
            match &entry.surveyed.place {
                Place::Blocked(conflict) => {
                    rest.push(Foreseen { change, outlook: Outlook::Blocked { conflict: conflict.clone() } });
                }
                _ if with.is_empty() => {
                    first.insert(*seq, change.clone());
                    lands.push(Foreseen { change, outlook: Outlook::Lands });
                }
                _ => rest.push(Foreseen { change, outlook: Outlook::Clashes { with } }),
            }
        }
        rest.sort_by_key(|foreseen| Reverse(matches!(foreseen.outlook, Outlook::Clashes { .. })));
        lands.append(&mut rest);
        lands
    }
}
