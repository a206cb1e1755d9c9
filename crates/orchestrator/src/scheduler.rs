//! What may happen next: a pure function of the state of a run.

use std::collections::BTreeSet;

use crate::TaskId;
use crate::state::RunState;

/// What a dispatcher shall do now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Tasks to start, in this order.
    pub(crate) start: Vec<TaskId>,
    /// Tasks that can never start, each with the prerequisite that did not land.
    pub(crate) skip: Vec<(TaskId, TaskId)>,
}

/// Decides what to start with `free` places, in the order of the plan; `busy` tasks are started already.
///
/// A task is ready when all that it needs has landed, and lost when one of them ended in any other way.
pub(crate) fn decide(state: &RunState, busy: &BTreeSet<TaskId>, free: usize) -> Decision {
    let mut decision = Decision::default();
    for task in &state.plan.tasks {
        let Some(own) = state.tasks.get(&task.id) else { continue };
        if !own.waiting() || busy.contains(&task.id) {
            continue;
        }
        let ended_otherwise =
            |need: &&TaskId| state.tasks.get(*need).is_none_or(|needed| needed.outcome.is_some() && !needed.landed());
        if let Some(because) = task.needs.iter().find(ended_otherwise) {
            decision.skip.push((task.id.clone(), because.clone()));
        } else if decision.start.len() < free
            && task.needs.iter().all(|need| state.tasks.get(need).is_some_and(|needed| needed.landed()))
        {
            decision.start.push(task.id.clone());
        }
    }
    decision
}

#[cfg(test)]
mod tests {
    use hedgerow_merge::BranchName;
    use hedgerow_worktree::CommitId;
    use proptest::prelude::*;

    use super::*;
    use crate::{GateSpec, Outcome, Plan, Task};

    fn run(needs: &[Vec<usize>]) -> RunState {
        let name = |n: usize| format!("t{n}");
        let mut plan = Plan::new(GateSpec::None);
        for (n, needed) in needs.iter().enumerate() {
            let mut task = Task::new(name(n), "a").unwrap();
            task.needs = needed.iter().map(|m| TaskId::new(name(*m)).unwrap()).collect();
            plan = plan.task(task);
        }
        RunState::new(plan, BranchName::new("main").unwrap(), "host".into(), "plan".into())
    }

    fn end(state: &mut RunState, id: &TaskId, outcome: Outcome) {
        state.tasks.get_mut(id).unwrap().outcome = Some(outcome);
    }

    fn landed() -> Outcome {
        Outcome::Landed { commit: CommitId::new("0".repeat(40)).unwrap(), commits: 1, files: 1 }
    }

    #[test]
    fn a_dependent_waits_until_its_prerequisite_has_landed() {
        let mut state = run(&[vec![], vec![0]]);
        let first = state.plan.tasks[0].id.clone();
        assert_eq!(decide(&state, &BTreeSet::new(), 8).start, vec![first.clone()]);
        end(&mut state, &first, landed());
        assert_eq!(decide(&state, &BTreeSet::new(), 8).start, vec![state.plan.tasks[1].id.clone()]);
    }

    #[test]
    fn a_prerequisite_that_changed_nothing_has_not_landed() {
        let mut state = run(&[vec![], vec![0]]);
        let first = state.plan.tasks[0].id.clone();
        end(&mut state, &first, Outcome::NoChange);
        assert_eq!(decide(&state, &BTreeSet::new(), 8).skip, vec![(state.plan.tasks[1].id.clone(), first)]);
    }

    proptest! {
        /// Whatever ends how, every task ends: it was started once, or skipped because of one that did not land.
        #[test]
        fn every_task_is_started_once_or_skipped(
            edges in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..20),
            lands in prop::collection::vec(any::<bool>(), 20),
            free in 1usize..5,
        ) {
            let needs: Vec<Vec<usize>> = edges.iter().enumerate()
                .map(|(n, e)| if n == 0 { vec![] } else { e.iter().map(|i| i.index(n)).collect() }).collect();
            let mut state = run(&needs);
            let ids: Vec<_> = state.plan.tasks.iter().map(|t| t.id.clone()).collect();
            let mut started = BTreeSet::new();
            for _ in 0..=2 * ids.len() {
                let decision = decide(&state, &BTreeSet::new(), free);
                prop_assert!(decision.start.len() <= free);
                for (id, because) in decision.skip {
                    prop_assert!(state.tasks[&because].outcome.is_some() && !state.tasks[&because].landed());
                    end(&mut state, &id, Outcome::Skipped { because });
                }
                for id in decision.start {
                    prop_assert!(started.insert(id.clone()), "started twice");
                    let index = ids.iter().position(|i| *i == id).unwrap();
                    prop_assert!(needs[index].iter().all(|n| state.tasks[&ids[*n]].landed()));
                    end(&mut state, &id, if lands[index] { landed() } else { Outcome::NoChange });
                }
            }
            prop_assert!(state.tasks.values().all(|t| t.outcome.is_some()));
        }
    }
}
