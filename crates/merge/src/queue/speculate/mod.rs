//! Which candidates are worth making and gating now, the likeliest to be needed first.

pub(super) mod batches;
mod scoped;
mod tree;

use std::collections::BTreeSet;

use super::entry::{Entry, Place};
use super::id::Seq;
use super::nodes::Node;
use super::state::State;
use super::verdicts::Standing;
use super::{Action, Guarantee, Merge, TreeId, admit, batch, blame};
use crate::CommitId;

/// Below this likelihood nothing is looked at.
const FLOOR: f64 = 0.004;
/// What it is worth to try a change alone that can go on only then.
const ALONE: f64 = 0.7;
/// What it is worth to look again at a change that failed, or for the landing that it does not go with.
const BLAME: f64 = 0.6;
/// A gate that is running is worth so much more than one that would have to start.
const STICKY: f64 = 2.0;

/// Something that would help.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want<'a> {
    /// A candidate, made of a change on a commit.
    Merge(&'a CommitId, Seq),
    /// A candidate that is being made: it will want a slot.
    Asked,
    /// The verdict on a tree, which a commit has.
    Gate(&'a CommitId, &'a TreeId),
}

/// How likely it is that it will be needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighted<'a> {
    pub(super) weight: f64,
    pub(super) want: Want<'a>,
}

/// What to do about gates and candidates.
#[derive(Debug, Default)]
struct Plan {
    merges: Vec<(CommitId, Seq)>,
    gates: Vec<(CommitId, TreeId)>,
    cancel: Vec<TreeId>,
}

/// Starts what is worth it, and cancels what is not any more.
pub(super) fn speculate(state: &mut State, actions: &mut Vec<Action>) {
    if state.config.guarantee == Guarantee::Scoped {
        scoped::remember(state);
    }
    let plan = plan(state);
    for tree in plan.cancel {
        actions.extend(state.verdicts.cancel(&tree).map(Action::CancelGate));
    }
    for (base, seq) in plan.merges {
        admit::enter_line(state, seq);
        let Some(entry) = state.entries.get(&seq) else { continue };
        let (change, head) = (entry.submission.change.clone(), entry.submission.head.clone());
        state.nodes.set(base.clone(), seq, Node::Asked);
        actions.push(Action::Prepare { base, change, head });
    }
    let now = state.history.landings();
    for (commit, tree) in plan.gates {
        actions.push(Action::StartGate(state.verdicts.start(&tree, &commit, now)));
    }
}

fn plan(state: &State) -> Plan {
    let budget = state.config.budget();
    let window: Vec<Seq> = state.line.iter().copied().chain(state.first_waiting()).collect();
    let thrift = f64::from(state.config.thrift) / 1000.0;
    let mut wants = match state.config.guarantee {
        Guarantee::Scoped => scoped::wants(state, &window),
        Guarantee::HeadGreen if batch::size(state.batch_chance()) > 1 => batches::wants(state, &window),
        Guarantee::EveryCommit | Guarantee::HeadGreen => tree::wants(state, &window),
    };
    if let Some(want) = ground(state) {
        wants.push(Weighted { weight: 1.0, want });
    }
    wants.extend(alone(state));
    blame::wants(state, BLAME, &mut wants);
    allocate(state, wants, thrift, budget)
}

/// Changes of a kind that often fails, each on its own tree: that costs nobody else anything.
fn alone(state: &State) -> impl Iterator<Item = Weighted<'_>> {
    state.first_waiting().filter_map(|seq| {
        let entry = state.entries.get(&seq).filter(|entry| state.alone_first(entry))?;
        let own = &entry.submission;
        let open = matches!(state.verdicts.standing(&own.tree), Standing::Unknown | Standing::Doubted);
        open.then_some(Weighted { weight: ALONE, want: Want::Gate(&own.head, &own.tree) })
    })
}

/// The target itself, when something fails on it and nobody knows whether it is good.
fn ground(state: &State) -> Option<Want<'_>> {
    if !matches!(state.ground(), Standing::Unknown | Standing::Doubted) {
        return None;
    }
    let fails = |seq: &Seq| {
        let on_tip = state
            .made(&state.tip.commit, *seq)
            .is_some_and(|(_, standing)| matches!(standing, Standing::Failed | Standing::Doubted));
        on_tip || scoped::fails(state, *seq)
    };
    state.line.iter().any(fails).then_some(Want::Gate(&state.tip.commit, &state.tip.tree))
}

/// Gives the slots to what is most likely needed.
fn allocate(state: &State, wants: Vec<Weighted<'_>>, thrift: f64, budget: usize) -> Plan {
    let running = |want: &Want<'_>| matches!(want, Want::Gate(_, tree) if state.verdicts.is_running(tree));
    let mut ranked: Vec<(f64, Weighted<'_>)> = wants
        .into_iter()
        .map(|wanted| (if running(&wanted.want) { wanted.weight * STICKY } else { wanted.weight }, wanted))
        .collect();
    // Stable, so that what comes first in the line comes first among equals.
    ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let (mut plan, mut trees, mut taken) = (Plan::default(), BTreeSet::new(), 0);
    for (_, Weighted { weight, want }) in ranked {
        if taken >= budget {
            break;
        }
        match want {
            Want::Gate(commit, tree) => {
                if trees.contains(tree) {
                    continue;
                }
                if !state.verdicts.is_running(tree) {
                    if weight < thrift {
                        continue;
                    }
                    plan.gates.push((commit.clone(), tree.clone()));
                }
                trees.insert(tree);
            }
            Want::Merge(base, seq) if weight >= thrift => plan.merges.push((base.clone(), seq)),
            Want::Merge(..) => continue,
            Want::Asked => {}
        }
        taken += 1;
    }
    plan.cancel = state.verdicts.running().filter(|tree| !trees.contains(tree)).cloned().collect();
    plan
}

/// Whether a change has its turn, or could have it now.
fn may_begin(state: &State, seq: Seq) -> bool {
    let in_turn = |entry: &Entry| matches!(entry.place, Place::Line | Place::Waiting) && !state.alone_first(entry);
    state.entries.get(&seq).is_some_and(in_turn)
}

/// What there is of a change on a commit.
enum Found<'a> {
    Missing,
    Asked,
    Unfit,
    Made(&'a CommitId, &'a TreeId),
}

fn found<'a>(state: &'a State, base: &CommitId, seq: Seq) -> Found<'a> {
    match state.nodes.get(base, seq) {
        None => Found::Missing,
        Some(Node::Asked) => Found::Asked,
        Some(Node::Done(Merge::Made(tip))) => Found::Made(&tip.commit, &tip.tree),
        Some(Node::Done(_)) => Found::Unfit,
    }
}
