//! What would land of many changes, in which order, and which contradict each other, before anybody asks them to land.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::queue::graph::Graph;
use crate::queue::{ChangeId, Relation, Seq};
use crate::{CommitId, Conflict, Repository, Result};

mod order;
mod parallel;
mod survey;

use survey::{Place, Surveyed};

pub use order::{Foreseen, Outlook};

/// A picture of all changes in progress on one target, kept up to date change by change.
///
/// Give it the tips of what is being worked on, also of work that is not finished: a commit that a capture made is
/// enough, whether any branch names it or not. What touches different lines does not conflict; what comes close is
/// merged in memory, on the target, to know. Nothing is ever written, and asking again about what did not change costs
/// nothing, so it can be asked every few seconds.
///
/// Which pairs conflict is exact, but for a rename that only a third change makes one. [`order`](Self::order) goes by
/// pairs: that three changes fit together is shown by landing them.
///
/// ```no_run
/// use hedgerow_merge::queue::ChangeId;
/// use hedgerow_merge::{BranchName, Forecast, Repository};
///
/// # fn main() -> hedgerow_merge::Result<()> {
/// let repository = Repository::open(".")?;
/// let target = repository.tip(&BranchName::new("main")?)?;
/// let mut forecast = Forecast::new(&repository, target);
///
/// let tip = |branch: &str| repository.tip(&BranchName::new(branch)?);
/// let agents = ["agent/parser", "agent/errors"];
/// let tips: Vec<_> = agents.iter().map(|name| Ok((ChangeId::new(*name), tip(name)?))).collect::<hedgerow_merge::Result<_>>()?;
/// for news in forecast.update(tips)? {
///     println!("{news:?}");
/// }
/// for foreseen in forecast.order() {
///     println!("{}: {:?}", foreseen.change, foreseen.outlook);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Forecast {
    repository: Repository,
    target: CommitId,
    graph: Graph,
    next: u64,
    seqs: BTreeMap<ChangeId, Seq>,
    entries: BTreeMap<Seq, Entry>,
    clashes: BTreeMap<(Seq, Seq), Conflict>,
}

#[derive(Clone, Debug)]
struct Entry {
    change: ChangeId,
    tip: CommitId,
    surveyed: Surveyed,
}

/// Two changes of which only one can land as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Clash {
    /// The one that came first.
    pub one: ChangeId,
    /// The other.
    pub other: ChangeId,
    /// What landing the other after the first comes to. Where the first is not made on the target, `ours` is a merge of
    /// both that was never written.
    pub conflict: Conflict,
}

/// What an update changed in the picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum News {
    /// Two changes conflict, or do so in another way than before.
    Clash(Clash),
    /// Two changes do not conflict any more.
    Parted {
        /// The one that came first.
        one: ChangeId,
        /// The other.
        other: ChangeId,
    },
    /// A change conflicts with the target, or does so in another way than before.
    Blocked {
        /// The change.
        change: ChangeId,
        /// What landing it comes to.
        conflict: Conflict,
    },
    /// A change does not conflict with the target any more.
    Free {
        /// The change.
        change: ChangeId,
    },
    /// The target contains a change.
    Contained {
        /// The change.
        change: ChangeId,
    },
}

impl Forecast {
    /// A picture without any change, for a target that names this commit.
    pub fn new(repository: &Repository, target: CommitId) -> Self {
        Self {
            repository: repository.clone(),
            target,
            graph: Graph::default(),
            next: 0,
            seqs: BTreeMap::new(),
            entries: BTreeMap::new(),
            clashes: BTreeMap::new(),
        }
    }

    /// The commit that the target names, as far as this picture knows.
    pub fn target(&self) -> &CommitId {
        &self.target
    }

    /// Takes in where changes are now: new ones, and known ones that moved. The others stay as they are.
    ///
    /// Blocks, and uses as many threads as the machine has cores.
    ///
    /// # Errors
    /// When a commit is missing or a merge fails. A change that is at fault is not in the picture afterwards, nor are
    /// those that came with it; the others are.
    pub fn update(&mut self, tips: impl IntoIterator<Item = (ChangeId, CommitId)>) -> Result<Vec<News>> {
        let tips: BTreeMap<_, _> = tips.into_iter().collect();
        let known = |change: &ChangeId, tip: &CommitId| self.entry(change).is_some_and(|entry| entry.tip == *tip);
        let moved: Vec<_> = tips.into_iter().filter(|(change, tip)| !known(change, tip)).collect();
        self.take_in(moved)
    }

    /// Forgets a change that landed or that nobody works on any more.
    pub fn remove(&mut self, change: &ChangeId) -> Vec<News> {
        let before = self.snapshot();
        self.forget(change);
        self.since(before)
    }

    /// The target names another commit now; changes that it contains are forgotten, the others are looked at again.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn advance(&mut self, target: CommitId) -> Result<Vec<News>> {
        if target == self.target {
            return Ok(Vec::new());
        }
        self.target = target;
        let all = self.entries.values().map(|entry| (entry.change.clone(), entry.tip.clone())).collect();
        self.take_in(all)
    }

    /// All pairs that conflict, in the order in which their changes came.
    pub fn clashes(&self) -> impl Iterator<Item = Clash> {
        self.clashes.iter().filter_map(|((one, other), conflict)| self.clash(*one, *other, conflict))
    }

    /// Who works where a change does, with the strongest reason; whether they conflict is among the
    /// [`clashes`](Self::clashes).
    pub fn related(&self, change: &ChangeId) -> impl Iterator<Item = (&ChangeId, Relation)> {
        let seq = self.seqs.get(change).copied();
        let neighbours = seq.into_iter().flat_map(|seq| self.graph.neighbours(seq));
        neighbours.filter_map(|(other, relation)| Some((&self.entries.get(&other)?.change, relation)))
    }

    fn entry(&self, change: &ChangeId) -> Option<&Entry> {
        self.entries.get(self.seqs.get(change)?)
    }

    fn clash(&self, one: Seq, other: Seq, conflict: &Conflict) -> Option<Clash> {
        let change = |seq| self.entries.get(&seq).map(|entry| entry.change.clone());
        Some(Clash { one: change(one)?, other: change(other)?, conflict: conflict.clone() })
    }

    fn take_in(&mut self, tips: Vec<(ChangeId, CommitId)>) -> Result<Vec<News>> {
        let before = self.snapshot();
        let surveyed = survey::all(&self.repository, &self.target, &tips);
        let places: BTreeMap<_, _> =
            tips.iter().map(|(change, _)| (change.clone(), self.seqs.get(change).copied())).collect();
        tips.iter().for_each(|(change, _)| self.forget(change));
        let mut came = Vec::new();
        for ((change, tip), surveyed) in tips.into_iter().zip(surveyed?) {
            let seq = places.get(&change).copied().flatten().unwrap_or_else(|| {
                self.next += 1;
                Seq(self.next)
            });
            self.graph.insert(seq, &surveyed.footprint, &[]);
            self.seqs.insert(change.clone(), seq);
            self.entries.insert(seq, Entry { change, tip, surveyed });
            came.push(seq);
        }
        if let Err(e) = self.try_pairs(&came) {
            for seq in came {
                let change = self.entries.get(&seq).map(|entry| entry.change.clone());
                change.iter().for_each(|change| self.forget(change));
            }
            return Err(e);
        }
        let news = self.since(before);
        let contained = self.entries.values().filter(|entry| matches!(entry.surveyed.place, Place::Contained));
        for change in contained.map(|entry| entry.change.clone()).collect::<Vec<_>>() {
            self.forget(&change);
        }
        Ok(news)
    }

    /// Merges every pair that one of these belongs to and that comes close enough to conflict.
    fn try_pairs(&mut self, came: &[Seq]) -> Result<()> {
        let mut pairs = std::collections::BTreeSet::new();
        for seq in came {
            for (other, relation) in self.graph.neighbours(*seq) {
                let pair = (*seq.min(&other), *seq.max(&other));
                if self.may_conflict(pair, relation) {
                    pairs.insert(pair);
                }
            }
        }
        let pairs: Vec<_> = pairs.into_iter().collect();
        let tried = parallel::map(&pairs, |(one, other)| {
            let side = |seq| self.entries.get(seq).map(|entry| (&entry.tip, &entry.surveyed));
            match side(one).zip(side(other)) {
                Some((one, other)) => survey::pair(&self.repository, &self.target, one, other),
                None => Ok(None),
            }
        })?;
        let found = pairs.into_iter().zip(tried).filter_map(|(pair, conflict)| Some((pair, conflict?)));
        self.clashes.extend(found);
        Ok(())
    }

    fn may_conflict(&self, (one, other): (Seq, Seq), relation: Relation) -> bool {
        let (Some(one), Some(other)) = (self.entries.get(&one), self.entries.get(&other)) else { return false };
        let lands = |entry: &Entry| matches!(entry.surveyed.place, Place::Free);
        // Lines of different commits cannot be compared.
        let close = relation != Relation::Path || one.surveyed.base != other.surveyed.base;
        close && lands(one) && lands(other)
    }

    fn forget(&mut self, change: &ChangeId) {
        let Some(seq) = self.seqs.remove(change) else { return };
        let Some(entry) = self.entries.remove(&seq) else { return };
        self.graph.remove(seq, &entry.surveyed.footprint);
        self.clashes.retain(|(one, other), _| *one != seq && *other != seq);
    }

    /// What was known, to tell what is new later.
    fn snapshot(&self) -> Known {
        let clashes = self.clashes().map(|clash| ((clash.one, clash.other), clash.conflict)).collect();
        let blocked = self.entries.values().filter_map(|entry| match &entry.surveyed.place {
            Place::Blocked(conflict) => Some((entry.change.clone(), conflict.clone())),
            _ => None,
        });
        Known { clashes, blocked: blocked.collect() }
    }

    fn since(&self, before: Known) -> Vec<News> {
        let now = self.snapshot();
        let mut news = Vec::new();
        for (change, conflict) in &now.blocked {
            if before.blocked.get(change) != Some(conflict) {
                news.push(News::Blocked { change: change.clone(), conflict: conflict.clone() });
            }
        }
        for entry in self.entries.values() {
            match entry.surveyed.place {
                Place::Contained => news.push(News::Contained { change: entry.change.clone() }),
                Place::Free if before.blocked.contains_key(&entry.change) => {
                    news.push(News::Free { change: entry.change.clone() });
                }
                _ => {}
            }
        }
        for ((one, other), conflict) in &now.clashes {
            if before.clashes.get(&(one.clone(), other.clone())) != Some(conflict) {
                let conflict = conflict.clone();
                news.push(News::Clash(Clash { one: one.clone(), other: other.clone(), conflict }));
            }
        }
        for (one, other) in before.clashes.into_keys().filter(|pair| !now.clashes.contains_key(pair)) {
            news.push(News::Parted { one, other });
        }
        news
    }
}

/// Conflicts by the names of changes.
struct Known {
    clashes: BTreeMap<(ChangeId, ChangeId), Conflict>,
    blocked: BTreeMap<ChangeId, Conflict>,
}
