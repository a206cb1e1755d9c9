//! Resolving conflicts: what answers come to, and who answers.

mod chain;
mod edited;
mod programs;
mod recorded;
mod settle;
mod workbench;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hedgerow_merge::{
    Answered, Asked, Candidate, Change, Checkout, Conflict, Intents, Landing, LandingCertificate, MergeCommit,
    MergeStrategy, Prepared, Resolution, Resolvers, Settled,
};

use crate::scene::{Scene, candidate};

/// Runs a future that waits for nothing but itself.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("nothing here waits"),
    }
}

pub(super) fn ask(scene: &Scene, resolvers: &Resolvers, conflict: &Conflict) -> Asked {
    let intents = Intents { target: "keep it".into(), change: "change it".into() };
    now(resolvers.ask(&scene.open(), conflict, &intents)).unwrap()
}

/// The resolution of a conflict that the answers decide.
pub(super) fn settled(scene: &Scene, conflict: &Conflict, answers: &[Answered]) -> Resolution {
    match scene.open().settle(conflict, answers, &scene.change("change")).unwrap() {
        Settled::Resolved(resolution) => resolution,
        Settled::Open(open) => panic!("still open: {open:?}"),
    }
}

/// Asks and settles.
pub(super) fn resolved(scene: &Scene, resolvers: &Resolvers) -> Resolution {
    let conflict = scene.conflict("main", "change");
    let asked = ask(scene, resolvers, &conflict);
    assert!(asked.open.is_empty(), "{:?}", asked.declined);
    settled(scene, &conflict, &asked.answers)
}

/// The candidate of a resolved change.
pub(super) fn again(scene: &Scene, resolution: &Resolution) -> Candidate {
    let change = Change { tip: resolution.tip.clone(), ..scene.change("change") };
    let prepared: Prepared = MergeCommit.prepare(&scene.open(), &scene.target("main"), &change).unwrap();
    candidate(prepared)
}

/// Certifies with a gate that passed, records and lands.
pub(super) fn land(scene: &Scene, resolution: &Resolution) -> LandingCertificate {
    scene.git(&["checkout", "-q", "--detach"]);
    let made = again(scene, resolution);
    let certificate = scene.open().certify(&made).unwrap().with_resolution(resolution.clone());
    let certificate = crate::certificate::gated(certificate);
    scene.open().record(&certificate).unwrap();
    assert_eq!(scene.open().land(&made, Checkout::Refuse).unwrap(), Landing::Landed);
    certificate
}
