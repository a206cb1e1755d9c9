//! Which variant of a group landed.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{ChangeId, GroupId};

/// The variants that landed, the last ones as far as they are remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Won {
    winners: BTreeMap<GroupId, ChangeId>,
    order: VecDeque<GroupId>,
}

impl Won {
    /// Remembers a winner, and forgets the first of more than `memory`.
    pub(super) fn add(&mut self, group: GroupId, change: ChangeId, memory: usize) {
        if self.winners.insert(group.clone(), change).is_none() {
            self.order.push_back(group);
        }
        while self.order.len() > memory.max(1) {
            if let Some(first) = self.order.pop_front() {
                self.winners.remove(&first);
            }
        }
    }

    pub(super) fn winner(&self, group: &GroupId) -> Option<&ChangeId> {
        self.winners.get(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_runs_for_years_does_not_grow_with_its_variants() {
        let mut won = Won::default();
        let group = |number: u32| GroupId::new(number.to_string());
        for number in 0..1000 {
            for variant in ["a", "b"] {
                won.add(group(number), ChangeId::new(variant), 10);
            }
        }
        assert_eq!((won.winners.len(), won.order.len()), (10, 10));
        assert_eq!(won.winner(&group(999)), Some(&ChangeId::new("b")));
        assert_eq!(won.winner(&group(989)), None);
    }
}
