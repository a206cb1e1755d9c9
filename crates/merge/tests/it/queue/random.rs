//! Random worlds, and random paths through them.

use hedgerow_merge::queue::Guarantee;
use proptest::prelude::*;

use super::explore::wander;
use super::world::{Faults, Scenario, Spec};

/// Up to seven changes, of which some are bad, break, conflict with or need an earlier one, or compete with others.
fn changes() -> impl Strategy<Value = Vec<Spec>> {
    let spec = (0..20_u8, any::<prop::sample::Index>(), any::<bool>(), 0..3_u8);
    prop::collection::vec(spec, 1..7).prop_map(|specs| {
        let spec = |(n, (kind, other, certified, scope)): (usize, (u8, prop::sample::Index, bool, u8))| {
            let mut spec = Spec { scope, ..Spec::default() };
            let earlier = (n > 0).then(|| u8::try_from(other.index(n.max(1)) + 1).unwrap());
            match kind {
                0..4 => spec.bad = true,
                4..6 => spec.breaks = earlier,
                6..8 => spec.conflicts = earlier,
                8..11 => spec.needs = earlier,
                11..14 => spec.group = Some(scope),
                _ => spec.certified = certified,
            }
            spec
        };
        specs.into_iter().enumerate().map(spec).collect()
    })
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let faults = (0..3_u8, 0..3_u8, 0..3_u8, 0..2_u8, 0..2_u8, 0..2_u8);
    let faults = faults.prop_map(|(lost, doubled, crash, flake, foreign, cancel)| Faults {
        lost,
        doubled,
        crash,
        flake,
        foreign,
        red: 0,
        cancel,
    });
    let guarantee = prop_oneof![Just(Guarantee::EveryCommit), Just(Guarantee::HeadGreen)];
    (changes(), faults, guarantee, 1..5_u32).prop_map(|(changes, faults, guarantee, slots)| Scenario {
        name: "random",
        guarantee,
        slots,
        changes,
        faults,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Nothing unverified lands, every change ends, once and as it deserves, and no index is ever wrong.
    #[test]
    fn any_path_through_any_world_keeps_the_promises(
        scenario in scenario(),
        choices in prop::collection::vec(any::<u16>(), 0..60),
    ) {
        let walked = wander(&scenario, &choices);
        prop_assert!(walked.is_ok(), "{}", walked.unwrap_err());
    }
}
