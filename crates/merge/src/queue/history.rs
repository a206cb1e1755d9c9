//! The last landings, to find out which of them a change does not go with.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::ChangeId;
use crate::CommitId;

/// How many landings are remembered.
const MOST: usize = 256;

/// One change that landed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Past {
    pub(super) change: ChangeId,
    /// The commit that brought it in.
    pub(super) commit: CommitId,
    pub(super) scopes: Vec<String>,
}

/// The commits of the target since somebody else moved it last, numbered by landings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct History {
    /// How many landings there were before the oldest one that is remembered.
    first: u64,
    /// What the target named then.
    base: CommitId,
    past: VecDeque<Past>,
}

impl History {
    pub(super) fn new(base: CommitId) -> Self {
        Self { first: 0, base, past: VecDeque::new() }
    }

    /// How many landings there were ever.
    pub(super) fn landings(&self) -> u64 {
        self.first + u64::try_from(self.past.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn push(&mut self, past: Past) {
        self.past.push_back(past);
        if self.past.len() > MOST
            && let Some(old) = self.past.pop_front()
        {
            (self.first, self.base) = (self.first + 1, old.commit);
        }
    }

    /// Somebody else moved the target: what landed before explains nothing any more.
    pub(super) fn reset(&mut self, base: CommitId) {
        *self = Self { first: self.landings(), base, past: VecDeque::new() };
    }

    /// What the target named after so many landings.
    pub(super) fn commit_at(&self, landings: u64) -> Option<&CommitId> {
        match landings.checked_sub(self.first)? {
            0 => Some(&self.base),
            n => self.past.get(usize::try_from(n - 1).ok()?).map(|past| &past.commit),
        }
    }

    /// The landing that came after so many others.
    pub(super) fn after(&self, landings: u64) -> Option<&Past> {
        self.past.get(usize::try_from(landings.checked_sub(self.first)?).ok()?)
    }

    /// After how many landings the oldest commit was named that is remembered.
    pub(super) fn oldest(&self) -> u64 {
        self.first
    }

    /// After how many landings the target named a commit, if that is remembered.
    pub(super) fn index_of(&self, commit: &CommitId) -> Option<u64> {
        let found = self.past.iter().rposition(|past| past.commit == *commit);
        let number = |n| self.first + 1 + u64::try_from(n).unwrap_or(0);
        found.map(number).or_else(|| (self.base == *commit).then_some(self.first))
    }

    /// Whether a commit is one that the target was moved to by a landing.
    pub(super) fn is_landing(&self, commit: &CommitId) -> bool {
        self.past.iter().rev().any(|past| past.commit == *commit)
    }

    /// The scopes of a change that landed not long ago.
    pub(super) fn scopes_of(&self, change: &ChangeId) -> Option<Vec<String>> {
        self.past.iter().rfind(|past| past.change == *change).map(|past| past.scopes.clone())
    }

    /// Whether a change landed not long ago.
    pub(super) fn landed(&self, change: &ChangeId) -> bool {
        self.past.iter().any(|past| past.change == *change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_found_by_number_also_when_the_oldest_are_forgotten() {
        let commit = |n: u64| CommitId::new(format!("{n:040x}")).unwrap();
        let mut history = History::new(commit(0));
        for n in 1..=300 {
            history.push(Past { change: ChangeId::new(n.to_string()), commit: commit(n), scopes: vec![] });
        }
        assert_eq!(history.landings(), 300);
        assert_eq!(history.commit_at(300), Some(&commit(300)));
        assert_eq!(history.commit_at(44), Some(&commit(44)));
        assert_eq!(history.commit_at(43), None);
        assert_eq!([100, 44, 43].map(|n| history.index_of(&commit(n))), [Some(100), Some(44), None]);
        assert_eq!(history.oldest(), 44);
        assert_eq!(history.after(299).unwrap().commit, commit(300));
        assert!(!history.landed(&ChangeId::new("1")) && history.landed(&ChangeId::new("300")));
        history.reset(commit(999));
        assert_eq!((history.landings(), history.commit_at(300)), (300, Some(&commit(999))));
    }
}
