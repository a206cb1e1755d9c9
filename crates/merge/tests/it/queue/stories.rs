//! What goes wrong in the field, one by one.

use std::collections::VecDeque;

use hedgerow_merge::queue::*;

use super::world::{Faults, Scenario, Spec, World, changes, commit, key, tree};

/// A queue with everything around it, in which one thing happens after the other.
struct Story {
    scenario: Scenario,
    state: State,
    world: World,
    /// Every action that was ever asked for.
    asked: Vec<Action>,
}

impl Story {
    fn new(guarantee: Guarantee, slots: u32, changes: Vec<Spec>) -> Self {
        let faults = Faults { red: 1, ..Faults::default() };
        let scenario = Scenario { name: "story", guarantee, slots, changes, faults };
        let (state, world) = scenario.begin();
        Self { scenario, state, world, asked: Vec::new() }
    }

    fn tell(&mut self, event: Event) {
        let actions = step(&mut self.state, event);
        assert_eq!(check(&self.state), Ok(()));
        self.asked.extend(actions.iter().cloned());
        self.scenario.take(&mut self.world, actions);
    }

    fn enqueue(&mut self, change: u8) {
        self.world.enqueued = self.world.enqueued.max(change);
        self.tell(Event::Enqueue(self.scenario.submission(change)));
    }

    fn enqueue_all(&mut self) {
        (1..=u8::try_from(self.scenario.changes.len()).unwrap()).for_each(|change| self.enqueue(change));
    }

    /// Does what is asked for, until nothing is. `flaky` says how many gates fail without a reason.
    fn go_on(&mut self, mut flaky: u8) {
        while let Some(task) = self.world.tasks.pop_first() {
            let flakes = flaky > 0 && matches!(task, super::world::Task::Gate(_));
            flaky -= u8::from(flakes);
            let event = self.scenario.perform(&mut self.world, &task, flakes).unwrap();
            self.tell(event);
        }
    }

    fn runs(&self) -> usize {
        self.asked.iter().filter(|action| matches!(action, Action::StartGate(_))).count()
    }

    fn end(&self, change: u8) -> Option<&str> {
        self.world.ended.get(&change).map(String::as_str)
    }
}

fn good() -> Spec {
    Spec { scope: 1, ..Spec::default() }
}

#[test]
fn a_change_that_is_certified_on_the_tip_lands_without_a_gate() {
    let mut story = Story::new(Guarantee::EveryCommit, 2, vec![Spec { certified: true, ..good() }]);
    story.enqueue_all();
    story.go_on(0);
    assert_eq!((story.end(1), story.runs()), (Some("landed"), 0));
}

#[test]
fn an_agent_that_enqueues_twice_gets_one_end_and_the_same_again() {
    let mut story = Story::new(Guarantee::EveryCommit, 2, vec![Spec { bad: true, ..good() }]);
    story.enqueue(1);
    story.enqueue(1);
    assert_eq!(story.state.open().count(), 1);
    let runs = |story: &Story| story.runs();
    while let Some(task) = story.world.tasks.iter().find(|t| !matches!(t, super::world::Task::End(..))).cloned() {
        story.world.tasks.remove(&task);
        let event = story.scenario.perform(&mut story.world, &task, false).unwrap();
        story.tell(event);
    }
    let before = runs(&story);
    story.enqueue(1);
    assert_eq!((story.state.open().count(), runs(&story)), (0, before), "it is not tried again");
    assert!(matches!(story.asked.last(), Some(Action::End { end: End::Rejected(_), .. })));
}

#[test]
fn two_changes_that_pass_alone_and_fail_together_are_named_as_a_pair() {
    let mut specs = vec![good(); 9];
    specs[7].breaks = Some(4);
    for guarantee in [Guarantee::EveryCommit, Guarantee::HeadGreen, Guarantee::Scoped] {
        let mut story = Story::new(guarantee, 4, specs.clone());
        story.enqueue_all();
        story.go_on(0);
        let ends: Vec<_> = (1..=9).map(|change| story.end(change).unwrap()).collect();
        assert_eq!(ends.iter().filter(|end| **end == "landed").count(), 8, "{guarantee:?}: {ends:?}");
        assert!(ends[7] == "pair 4" || ends[3] == "pair 8", "{guarantee:?}: {ends:?}");
    }
}

#[test]
fn a_target_that_was_red_already_is_nobodys_fault() {
    let mut story = Story::new(Guarantee::EveryCommit, 2, vec![good(), good()]);
    let red = story.scenario.push(&mut story.world);
    story.tell(red);
    story.enqueue_all();
    story.go_on(0);
    assert_eq!((story.end(1), story.end(2)), (None, None));
    assert!(story.state.open().all(|(_, stage)| stage == Stage::Held));
    assert!(story.asked.iter().any(|action| matches!(action, Action::TargetRed { .. })));
    let mended = story.scenario.push(&mut story.world);
    story.tell(mended);
    story.go_on(0);
    assert_eq!((story.end(1), story.end(2)), (Some("landed"), Some("landed")));
}

#[test]
fn a_flaky_gate_rejects_nobody_and_the_flake_is_in_the_proof() {
    for guarantee in [Guarantee::EveryCommit, Guarantee::HeadGreen] {
        let mut story = Story::new(guarantee, 1, vec![good()]);
        story.enqueue_all();
        story.go_on(1);
        assert_eq!(story.end(1), Some("landed"));
        let proof = story.asked.iter().find_map(|action| match action {
            Action::Land(landing) => Some(landing.changes[0].proof.clone()),
            _ => None,
        });
        assert_eq!(proof, Some(Proof::Gated { flaked: 1 }));
    }
}

#[test]
fn a_batch_with_one_bad_change_costs_fewer_runs_than_it_has_changes() {
    let mut specs = vec![good(); 18];
    specs[10].bad = true;
    let mut story = Story::new(Guarantee::HeadGreen, 2, specs);
    story.enqueue_all();
    story.go_on(0);
    let landed = story.world.target.len();
    assert_eq!((landed, story.end(11)), (17, Some("bad")));
    assert!(story.runs() < 18, "{} runs", story.runs());
}

#[test]
fn an_amended_change_replaces_what_was_enqueued_before() {
    let mut story = Story::new(Guarantee::EveryCommit, 2, vec![good()]);
    story.enqueue(1);
    let mut second = story.scenario.submission(1);
    second.attempt = 2;
    story.tell(Event::Enqueue(second));
    story.tell(Event::Enqueue(story.scenario.submission(1)));
    let open: Vec<u32> = story.state.open().map(|(attempt, _)| attempt.number).collect();
    assert_eq!(open, [2], "the older one, which came late, is not back");
    assert!(story.state.ended().any(|(attempt, end)| attempt.number == 1 && *end == End::Superseded));
}

#[test]
fn a_gate_that_was_changed_judges_everything_anew() {
    let mut story = Story::new(Guarantee::EveryCommit, 2, vec![Spec { certified: true, ..good() }, good()]);
    story.enqueue_all();
    let stricter = GateKey { gate: Digest::new("stricter"), ..key() };
    story.tell(Event::GateChanged { key: stricter.clone() });
    story.go_on(0);
    assert_eq!((story.end(1), story.end(2)), (Some("landed"), Some("landed")));
    let keys = story.asked.iter().filter_map(|action| match action {
        Action::Land(landing) => Some(&landing.key),
        _ => None,
    });
    assert!(keys.into_iter().all(|key| *key == stricter), "the certificate was of another gate");
}

#[test]
fn a_queue_whose_state_was_lost_finds_out_what_has_landed() {
    let mut story = Story::new(Guarantee::EveryCommit, 2, vec![good(), good()]);
    story.enqueue_all();
    story.go_on(0);
    let target = Tip { commit: commit(&story.world.target), tree: tree(&story.world.target) };
    story.state = State::new(story.state.config().clone(), target);
    let mut events = VecDeque::from([Event::Enqueue(story.scenario.submission(2))]);
    let mut ends = Vec::new();
    while let Some(event) = events.pop_front() {
        for action in step(&mut story.state, event) {
            match action {
                Action::Prepare { base, change, head } => {
                    assert!(changes(&base).contains(&2));
                    events.push_back(Event::Prepared { base, change, head, merge: Merge::Nothing });
                }
                Action::End { end, .. } => ends.push(end),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(ends, [End::AlreadyLanded]);
}

#[test]
fn what_matters_more_has_its_turn_first() {
    let mut story = Story::new(Guarantee::EveryCommit, 1, vec![good(); 3]);
    story.enqueue(1);
    story.enqueue(2);
    let mut urgent = story.scenario.submission(3);
    urgent.priority = 2;
    story.world.enqueued = 3;
    story.tell(Event::Enqueue(urgent));
    story.go_on(0);
    assert_eq!(story.world.target, [1, 3, 2], "the first had begun already");
}
