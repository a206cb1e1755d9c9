//! What is true of every change, which only the oracle may look at.

use crate::random::Random;

/// The mean time of a gate, in ticks of the virtual clock.
pub(super) const GATE: u64 = 1_000_000;

/// How far apart the two changes of a breaking pair arrive at most.
const NEAR: usize = 12;

/// One change.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) arrives: u64,
    /// How long a run of the gate takes when this change is the newest in the tree.
    pub(super) gate: u64,
    /// It fails whatever is below.
    pub(super) bad: bool,
    /// The gate had passed on its own tree.
    pub(super) certified: bool,
    /// The changes with which it fails, whichever comes first.
    pub(super) breaks: Vec<usize>,
    pub(super) scope: u32,
    pub(super) lines: u32,
}

/// What is to be simulated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) changes: usize,
    /// How many arrive in the time of one gate, in the mean.
    pub(super) load: f64,
    pub(super) bad: f64,
    /// The share of the good ones whose own gate had passed.
    pub(super) certified: f64,
    /// The share of changes that fail together with one that arrived shortly before.
    pub(super) pairs: f64,
    /// The share of runs on good trees that fail.
    pub(super) flakes: f64,
    pub(super) slots: u32,
    pub(super) seed: u64,
    /// See the queue's configuration.
    pub(super) thrift: u32,
}

/// Draws all changes.
pub(super) fn draw(field: &Field) -> Vec<Change> {
    let mut random = Random::new(field.seed);
    let mut now = 0.0;
    let mut changes: Vec<Change> = Vec::with_capacity(field.changes);
    for n in 0..field.changes {
        now += -(1.0 - random.fraction()).ln() / field.load;
        let bad = random.fraction() < field.bad;
        // Twelve uniform numbers make a good enough normal one.
        let normal: f64 = (0..12).map(|_| random.fraction()).sum::<f64>() - 6.0;
        let mut change = Change {
            arrives: ticks(now),
            gate: ticks((normal * 0.3 - 0.045).exp()).max(1),
            bad,
            certified: !bad && random.fraction() < field.certified,
            breaks: Vec::new(),
            scope: number(random.fraction() * 40.0),
            lines: number((random.fraction() * 7.0).exp()),
        };
        let back = 1 + usize::try_from(number(random.fraction() * 12.0)).unwrap_or(0).min(NEAR - 1);
        let (pairs, related) = (random.fraction() < field.pairs, random.fraction() < 0.5);
        if let (true, false, Some(other)) = (pairs, bad, n.checked_sub(back))
            && !changes[other].bad
        {
            change.breaks.push(other);
            changes[other].breaks.push(n);
            // Half of them can be seen to be related.
            if related {
                change.scope = changes[other].scope;
            }
        }
        changes.push(change);
    }
    changes
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times are positive and far below 2^63")]
fn ticks(gates: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "a million")]
    let gate = GATE as f64;
    (gates * gate) as u64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "drawn between 0 and 1100")]
fn number(of: f64) -> u32 {
    of as u32
}
