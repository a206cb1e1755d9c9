//! What is decided about changes: only on the tip, where nothing below is in doubt.

use super::blame;
use super::entry::{Entry, Place};
use super::id::Seq;
use super::nodes::Node;
use super::rates::{Class, Rates};
use super::state::State;
use super::verdicts::Standing;
use super::{Action, End, Guarantee, Merge, Rejection, Tip, leave};

/// What is known of a change on the tip.
enum Finding {
    Ends(End),
    Fails(Tip),
    /// Its own tree failed, on a commit that landed.
    FailsAlone,
    /// Its own tree failed, on a commit that nothing is known of.
    Suspect,
    /// Its own tree passed.
    PassesAlone,
}

/// Decides about every change that enough is known of; says whether there was one.
pub(super) fn settle(state: &mut State, actions: &mut Vec<Action>) -> bool {
    let findings = findings(state);
    let mut any = false;
    for (seq, finding) in findings {
        if !state.entries.contains_key(&seq) {
            continue;
        }
        any |= match finding {
            Finding::Ends(end) => {
                leave::end(state, seq, end, actions);
                true
            }
            Finding::Fails(failed) => fails(state, seq, failed, actions),
            Finding::FailsAlone => fails_alone(state, seq, actions),
            Finding::Suspect => alone(state, seq, |entry, _| entry.suspect = true),
            Finding::PassesAlone => alone(state, seq, |entry, rates| {
                rates.good(entry.class);
                entry.class = Class::Certified;
            }),
        };
    }
    any |= blame::narrow(state, actions);
    if any {
        state.prune();
    }
    any
}

fn findings(state: &State) -> Vec<(Seq, Finding)> {
    let undecided = |seq: Seq| {
        let entry = state.entries.get(&seq).filter(|entry| entry.place == Place::Line)?;
        (!state.is_landing(&entry.submission.change)).then_some(entry)
    };
    let tip = &state.tip.commit;
    let on_tip = state.nodes.on(tip).filter(|(seq, _)| undecided(*seq).is_some());
    let mut found: Vec<_> = on_tip.filter_map(|(seq, node)| Some((seq, of_node(state, node)?))).collect();
    found.extend(state.first_waiting().filter_map(|seq| Some((seq, of_own_tree(state, seq)?))));
    if state.config.guarantee == Guarantee::Scoped {
        found.retain(|(seq, finding)| {
            // What passed on top of all that it is related to does not fail for the rest.
            let entry = state.entries.get(seq);
            let tried = entry.and_then(|entry| entry.tried_on(&entry.landed_below()));
            let passed = tried.is_some_and(|tip| state.verdicts.standing(&tip.tree) == Standing::Passed);
            !(passed && matches!(finding, Finding::Fails(_)))
        });
        for seq in &state.line {
            let Some(tried) = undecided(*seq).and_then(|entry| entry.tried_on(&entry.landed_below())) else { continue };
            if matches!(state.verdicts.standing(&tried.tree), Standing::Failed | Standing::Doubted) {
                found.push((*seq, Finding::Fails(tried.clone())));
            }
        }
    }
    found
}

/// What is known of a change that was tried alone before anything else.
fn of_own_tree(state: &State, seq: Seq) -> Option<Finding> {
    let entry = state.entries.get(&seq).filter(|entry| entry.class != Class::Certified && !entry.suspect)?;
    match state.verdicts.standing(&entry.submission.tree) {
        Standing::Passed => Some(Finding::PassesAlone),
        Standing::Failed if state.history.is_landing(&entry.submission.base) => Some(Finding::FailsAlone),
        Standing::Failed | Standing::Broken => Some(Finding::Suspect),
        Standing::Unknown | Standing::Doubted => None,
    }
}

fn of_node(state: &State, node: &Node) -> Option<Finding> {
    match node {
        Node::Asked => None,
        Node::Done(Merge::Nothing) => Some(Finding::Ends(End::AlreadyLanded)),
        Node::Done(Merge::Conflict { paths }) => {
            let rejection = Rejection::Conflict { tip: state.tip.commit.clone(), paths: paths.clone() };
            Some(Finding::Ends(End::Rejected(rejection)))
        }
        Node::Done(Merge::Made(tip)) => match state.verdicts.standing(&tip.tree) {
            Standing::Failed | Standing::Doubted => Some(Finding::Fails(tip.clone())),
            Standing::Broken => Some(Finding::Ends(End::Rejected(Rejection::GateBroken))),
            _ => None,
        },
    }
}

/// A change fails on the tip: whose fault that is depends on the tip.
fn fails(state: &mut State, seq: Seq, failed: Tip, actions: &mut Vec<Action>) -> bool {
    if !state.entries.get(&seq).is_some_and(|entry| entry.place == Place::Line) {
        return false;
    }
    match state.ground() {
        // The tip is being looked at.
        Standing::Unknown | Standing::Doubted => return false,
        Standing::Passed => blame::begin(state, seq, failed),
        Standing::Broken => leave::end(state, seq, End::Rejected(Rejection::GateBroken), actions),
        Standing::Failed => {
            leave::step_out(state, seq);
            if let Some(entry) = state.entries.get_mut(&seq) {
                entry.place = Place::Held;
            }
            state.held.insert(seq);
            if !state.told_red {
                state.told_red = true;
                actions.push(Action::TargetRed { tip: state.tip.clone() });
            }
        }
    }
    true
}

fn fails_alone(state: &mut State, seq: Seq, actions: &mut Vec<Action>) -> bool {
    let Some(entry) = state.entries.get(&seq) else { return false };
    let tree = entry.submission.tree.clone();
    let (step, runs) = state.verdicts.of(&tree).map(|judged| (judged.step.clone(), judged.failed)).unwrap_or_default();
    state.rates.bad(entry.class);
    leave::end(state, seq, End::Rejected(Rejection::GateFailed { tree, step, runs }), actions);
    true
}

/// Takes note of what a change is worth alone.
fn alone(state: &mut State, seq: Seq, note: impl Fn(&mut Entry, &mut Rates)) -> bool {
    if let Some(entry) = state.entries.get_mut(&seq) {
        note(entry, &mut state.rates);
    }
    true
}
