//! What is tried exhaustively.

use hedgerow_merge::queue::Guarantee;

use super::world::{Faults, Scenario, Spec};

pub(crate) fn good() -> Spec {
    Spec { scope: 1, ..Spec::default() }
}

pub(crate) fn bad() -> Spec {
    Spec { bad: true, ..good() }
}

pub(crate) fn breaks(other: u8) -> Spec {
    Spec { breaks: Some(other), ..good() }
}

pub(crate) fn conflicts(other: u8) -> Spec {
    Spec { conflicts: Some(other), ..good() }
}

pub(crate) fn needs(other: u8) -> Spec {
    Spec { needs: Some(other), ..good() }
}

pub(crate) fn variant(spec: Spec) -> Spec {
    Spec { group: Some(1), ..spec }
}

pub(crate) fn certified(spec: Spec) -> Spec {
    Spec { certified: true, ..spec }
}

pub(crate) fn apart(spec: Spec) -> Spec {
    Spec { scope: 2, ..spec }
}

/// One fault of each kind that concerns messages.
fn messages() -> Faults {
    Faults { lost: 1, doubled: 1, crash: 1, ..Faults::default() }
}

pub(crate) fn one(name: &'static str, guarantee: Guarantee, changes: Vec<Spec>, faults: Faults) -> Scenario {
    Scenario { name, guarantee, slots: 2, changes, faults }
}

/// What a test has time for: two or three changes.
pub(crate) fn small() -> Vec<Scenario> {
    use Guarantee::{EveryCommit, HeadGreen, Scoped};
    let crash = Faults { crash: 1, ..Faults::default() };
    let none = Faults::default();
    vec![
        one("good and bad", EveryCommit, vec![good(), bad()], Faults { doubled: 0, ..messages() }),
        one("good and bad, heads only", HeadGreen, vec![good(), bad()], crash),
        one("good and bad, by scope", Scoped, vec![good(), bad()], crash),
        one("a bad one between", EveryCommit, vec![good(), bad(), good()], none),
        one("a bad one first, heads only", HeadGreen, vec![bad(), good()], Faults { doubled: 1, ..none }),
        one("a bad one between, by scope", Scoped, vec![good(), apart(bad()), good()], none),
        one("a certified pair", EveryCommit, vec![certified(good()), certified(breaks(1))], crash),
        one("a pair", HeadGreen, vec![good(), breaks(1)], crash),
        one("a pair of one scope", Scoped, vec![good(), breaks(1)], crash),
        one("a conflict", EveryCommit, vec![good(), conflicts(1)], crash),
        one("a need that fails", EveryCommit, vec![bad(), needs(1)], crash),
        one("a need that lands", Scoped, vec![good(), needs(1)], crash),
        one("variants", EveryCommit, vec![variant(good()), variant(good())], messages()),
        one("variants, the first is bad", HeadGreen, vec![variant(bad()), variant(good())], crash),
        one("a flake", EveryCommit, vec![good(), good()], Faults { flake: 1, ..none }),
        one("a flake, heads only", HeadGreen, vec![good(), good()], Faults { flake: 1, ..none }),
        one("somebody else lands", EveryCommit, vec![good(), bad()], Faults { foreign: 1, ..none }),
        Scenario {
            slots: 1,
            ..one(
                "a pair with somebody else between",
                EveryCommit,
                vec![good(), good(), breaks(1)],
                Faults { foreign: 1, ..none },
            )
        },
        one("a red target", EveryCommit, vec![bad()], Faults { foreign: 2, red: 1, ..none }),
        one("second thoughts", EveryCommit, vec![good(), needs(1)], Faults { cancel: 1, crash: 1, ..none }),
    ]
}
