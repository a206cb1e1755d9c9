//! Random operations, kills and other people's git, against a model of what must not be lost.
//!
//! `HEDGEROW_MACHINE_CASES` asks for more cases than the few of every day. What fails is made small, printed, and kept
//! in `proptest-regressions/machine.txt`, so that it is tried first the next time.

mod model;
mod world;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use model::{Disposal, Foreign, Operation, Victim};
use world::World;

fn operation() -> impl Strategy<Value = Operation> {
    let slot = 0..world::SLOTS;
    let foreign = prop::sample::select(vec![Foreign::Prune, Foreign::Gc, Foreign::Pack, Foreign::Add, Foreign::Remove]);
    let disposal = prop::sample::select(vec![Disposal::Keep, Disposal::Archive, Disposal::Merged, Disposal::Discard]);
    let victim = prop::sample::select(vec![Victim::Create, Victim::Release, Victim::Recover]);
    prop_oneof![
        5 => slot.clone().prop_map(Operation::Create),
        8 => (slot.clone(), 0..world::FILES).prop_map(|(slot, file)| Operation::Write(slot, file)),
        2 => (slot.clone(), 0..world::FILES).prop_map(|(slot, file)| Operation::Delete(slot, file)),
        4 => slot.clone().prop_map(Operation::Commit),
        1 => slot.clone().prop_map(Operation::Rewind),
        4 => slot.clone().prop_map(Operation::Capture),
        4 => (slot.clone(), disposal).prop_map(|(slot, disposal)| Operation::Release(slot, disposal)),
        2 => slot.clone().prop_map(Operation::Drop),
        2 => Just(Operation::Recover),
        2 => slot.clone().prop_map(Operation::Adopt),
        3 => foreign.prop_map(Operation::Foreign),
        1 => slot.clone().prop_map(Operation::DeleteBranch),
        2 => (slot, victim, 0..60_u64).prop_map(|(slot, victim, after)| Operation::Kill(slot, victim, after)),
    ]
}

/// How many cases; more when the environment says so.
fn cases() -> u32 {
    std::env::var("HEDGEROW_MACHINE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

fn persistence() -> Option<Box<dyn proptest::test_runner::FailurePersistence>> {
    Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/machine.txt")))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        max_shrink_iters: 60,
        failure_persistence: persistence(),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_in_whatever_order_no_work_is_lost_and_git_is_content(
        operations in prop::collection::vec(operation(), 8..24)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for operation in &operations {
                world.apply(operation).await;
                world.assert_sound(operation);
            }
            world.end().await;
        });
    }
}
