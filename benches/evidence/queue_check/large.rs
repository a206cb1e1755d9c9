//! Worlds that are too large for a test.

use hedgerow_merge::queue::Guarantee;

use super::scenarios::{apart, bad, breaks, certified, conflicts, good, needs, one, variant};
use super::world::{Faults, Scenario};

/// What takes longer: up to four changes.
pub(crate) fn large() -> Vec<Scenario> {
    use Guarantee::{EveryCommit, HeadGreen, Scoped};
    let none = Faults::default();
    let crash = Faults { crash: 1, ..none };
    vec![
        one("three and a crash", EveryCommit, vec![good(), bad(), good()], crash),
        one("three and a crash, heads only", HeadGreen, vec![good(), bad(), good()], crash),
        one("three and a crash, by scope", Scoped, vec![good(), apart(bad()), good()], crash),
        one("three with a pair", EveryCommit, vec![good(), good(), breaks(1)], none),
        one(
            "four certified",
            EveryCommit,
            vec![certified(good()), certified(good()), certified(breaks(1)), good()],
            none,
        ),
        one("four of all kinds", EveryCommit, vec![variant(good()), variant(good()), needs(1), conflicts(1)], none),
        one(
            "four of all kinds, heads only",
            HeadGreen,
            vec![variant(good()), variant(good()), needs(1), conflicts(1)],
            none,
        ),
    ]
}
