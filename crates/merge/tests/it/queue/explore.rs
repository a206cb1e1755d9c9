//! Everything that can happen to a queue in a small world, in every order, once each.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use hedgerow_merge::queue::*;

use super::world::{Scenario, Task, World};

/// What an exploration found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Explored {
    /// Different pairs of a queue and a world.
    pub(crate) states: usize,
    /// Steps that were taken.
    pub(crate) steps: usize,
    /// Pairs in which nothing is left to do.
    pub(crate) ends: usize,
}

/// A queue and its world, and the steps that led there.
#[derive(Clone, Debug)]
struct Place {
    state: State,
    world: World,
    depth: usize,
}

/// One thing that happens.
#[derive(Clone, Debug, Hash)]
enum Move {
    Enqueue,
    Done { task: Task, flaky: bool },
    Lost(Task),
    Doubled(Task),
    Crash,
    Resume,
    Push,
    Cancel(u8),
}

impl Move {
    /// Whether it may happen any number of times, so that going on with it must lead somewhere.
    fn is_progress(&self) -> bool {
        matches!(self, Self::Enqueue | Self::Done { .. })
    }
}

/// Tries everything, up to `most` states.
///
/// # Errors
/// What went wrong, after which moves.
pub(crate) fn explore(scenario: &Scenario, most: usize) -> Result<Explored, String> {
    let (state, world) = scenario.begin();
    let mut seen = HashMap::new();
    let mut explored = Explored::default();
    let mut edges: Vec<(u32, u32)> = Vec::new();
    seen.insert(fingerprint(&state, &world), 0_u32);
    let mut open = vec![(0_u32, Place { state, world, depth: 0 })];
    let mut trail: Vec<Move> = Vec::new();
    let mut trails: Vec<Move> = Vec::new();
    while let Some((number, place)) = open.pop() {
        explored.states += 1;
        if explored.states > most {
            return Err(format!("{}: more than {most} states", scenario.name));
        }
        trail.truncate(place.depth.saturating_sub(1));
        if place.depth > 0 {
            trail.push(trails.pop().unwrap_or(Move::Resume));
        }
        let moves = moves(scenario, &place.world);
        let idle = place.world.tasks.is_empty() && usize::from(place.world.enqueued) == scenario.changes.len();
        for happens in moves {
            let explain =
                |problem: String| format!("{}: {problem}\n  after {trail:#?}\n  and {happens:?}", scenario.name);
            let mut next = Place { depth: place.depth + 1, ..place.clone() };
            explored.steps += 1;
            go(scenario, &mut next, &happens).map_err(explain)?;
            if let Err(violation) = check(&next.state) {
                return Err(explain(format!("{violation:?}")));
            }
            if idle && matches!(happens, Move::Resume) && next.world.tasks.is_empty() && next.world.faults.foreign == 0
            {
                explored.ends += 1;
                scenario.verdict(&next.world).map_err(explain)?;
            }
            let fresh = u32::try_from(seen.len()).expect("as this world names it");
            let known = *seen.entry(fingerprint(&next.state, &next.world)).or_insert(fresh);
            if happens.is_progress() {
                edges.push((number, known));
            }
            if known == fresh {
                open.push((fresh, next));
                trails.push(happens);
            }
        }
    }
    if has_cycle(seen.len(), &edges) {
        return Err(format!("{}: it can go on for ever without getting anywhere", scenario.name));
    }
    Ok(explored)
}

/// Takes one path that these numbers choose, and then, without any more faults, goes on to the end.
///
/// # Errors
/// What went wrong, after which moves.
pub(crate) fn wander(scenario: &Scenario, choices: &[u16]) -> Result<(), String> {
    let (state, world) = scenario.begin();
    let (mut place, mut trail) = (Place { state, world, depth: 0 }, Vec::new());
    let mut choices = choices.iter();
    let mut resumed = false;
    for _ in 0..20_000 {
        let moves = moves(scenario, &place.world);
        let happens = match choices.next() {
            Some(choice) => &moves[usize::from(*choice) % moves.len()],
            None => moves.iter().find(|happens| happens.is_progress()).unwrap_or(&Move::Resume),
        };
        trail.push(happens.clone());
        let explain = |problem: String| format!("{scenario:?}: {problem}\n  after {trail:#?}");
        let nothing_left = place.world.tasks.is_empty() && matches!(happens, Move::Resume) && resumed;
        if nothing_left && choices.as_slice().is_empty() {
            return scenario.verdict(&place.world).map_err(explain);
        }
        resumed = matches!(happens, Move::Resume);
        go(scenario, &mut place, happens).map_err(explain)?;
        check(&place.state).map_err(|violation| explain(format!("{violation:?}")))?;
    }
    Err(format!("{scenario:?}: it never ends"))
}

fn fingerprint(state: &State, world: &World) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, state, world).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

fn moves(scenario: &Scenario, world: &World) -> Vec<Move> {
    let mut moves = Vec::new();
    let faults = world.faults;
    if usize::from(world.enqueued) < scenario.changes.len() {
        moves.push(Move::Enqueue);
    }
    for task in &world.tasks {
        moves.push(Move::Done { task: task.clone(), flaky: false });
        if let Task::Gate(run) = task
            && faults.flake > 0
            && scenario.is_good(&run.tree)
        {
            moves.push(Move::Done { task: task.clone(), flaky: true });
        }
        if faults.lost > 0 {
            moves.push(Move::Lost(task.clone()));
        }
        if faults.doubled > 0 {
            moves.push(Move::Doubled(task.clone()));
        }
    }
    if faults.crash > 0 {
        moves.push(Move::Crash);
    }
    if faults.foreign > 0 {
        moves.push(Move::Push);
    }
    if faults.cancel > 0 {
        moves.extend((1..=world.enqueued).map(Move::Cancel));
    }
    if world.tasks.is_empty() {
        moves.push(Move::Resume);
    }
    moves
}

/// Lets one thing happen.
fn go(scenario: &Scenario, place: &mut Place, happens: &Move) -> Result<(), String> {
    let Place { state, world, .. } = place;
    let event = match happens {
        Move::Enqueue => {
            world.enqueued += 1;
            Event::Enqueue(scenario.submission(world.enqueued))
        }
        Move::Done { task, flaky } => {
            world.tasks.remove(task);
            world.faults.flake -= u8::from(*flaky);
            scenario.perform(world, task, *flaky)?
        }
        Move::Lost(task) => {
            world.tasks.remove(task);
            world.faults.lost -= 1;
            if let Event::Landed { commit } = scenario.perform(world, task, false)? {
                world.untold = Some(commit);
            }
            return Ok(());
        }
        Move::Doubled(task) => {
            world.faults.doubled -= 1;
            scenario.perform(world, task, false)?
        }
        Move::Crash => {
            world.faults.crash -= 1;
            world.tasks.clear();
            // What is loaded is what was saved.
            *state = serde_round(state)?;
            Event::Resume
        }
        Move::Resume => Event::Resume,
        Move::Push => {
            world.faults.foreign -= 1;
            // Who drives a queue tells of a landing that happened before it tells that somebody moved the target on.
            if let Some(commit) = world.untold.take() {
                let actions = step(state, Event::Landed { commit });
                scenario.take(world, actions);
            }
            scenario.push(world)
        }
        Move::Cancel(change) => {
            world.faults.cancel -= 1;
            Event::Cancel { change: ChangeId::new(change.to_string()) }
        }
    };
    if matches!(event, Event::Landed { .. }) {
        world.untold = None;
    }
    let actions = step(state, event);
    scenario.take(world, actions);
    Ok(())
}

fn serde_round(state: &State) -> Result<State, String> {
    let text = serde_json::to_string(state).map_err(|error| error.to_string())?;
    let loaded: State = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if loaded == *state { Ok(loaded) } else { Err("the state that was loaded is not the one that was saved".into()) }
}

/// Whether edges lead back to where they began; takes away what nothing leads to until nothing is left.
fn has_cycle(nodes: usize, edges: &[(u32, u32)]) -> bool {
    let index = |node: u32| usize::try_from(node).expect("as this world names it");
    let (mut into, mut starts) = (vec![0_u32; nodes], vec![0_usize; nodes + 1]);
    for (from, to) in edges {
        into[index(*to)] += 1;
        starts[index(*from) + 1] += 1;
    }
    for node in 0..nodes {
        starts[node + 1] += starts[node];
    }
    let (mut targets, mut filled) = (vec![0_u32; edges.len()], starts.clone());
    for (from, to) in edges {
        targets[filled[index(*from)]] = *to;
        filled[index(*from)] += 1;
    }
    let mut free: Vec<usize> = (0..nodes).filter(|node| into[*node] == 0).collect();
    let mut taken = 0;
    while let Some(node) = free.pop() {
        taken += 1;
        for to in &targets[starts[node]..starts[node + 1]] {
            into[index(*to)] -= 1;
            if into[index(*to)] == 0 {
                free.push(index(*to));
            }
        }
    }
    taken < nodes
}
