//! Rules of candidates.

use super::bench::{Bench, ensure};
use super::situations::{CLASHING, FITTING, UNRELATED};
use super::{Failure, Found, Rule};
use crate::{Checkout, Error, Landing, LandingRange};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "a-candidate-is-of-what-was-asked",
        demand: "A candidate names the target and the change that it was prepared for, and its commit is another one than the \
                 target's that descends from it.",
        check: asked,
    },
    Rule {
        name: "objects-are-there",
        demand: "Whoever opens the repository again finds the candidate with all of its trees and files.",
        check: there,
    },
    Rule {
        name: "nothing-is-lost",
        demand: "A candidate has what both sides did, or says in `dropped` what of it is not there.",
        check: kept,
    },
    Rule {
        name: "it-is-made-as-said",
        demand: "The commit has the shape that `made` says, so that a certificate can be had.",
        check: made,
    },
    Rule {
        name: "a-candidate-lands",
        demand: "A candidate lands where it was prepared for, and its landing can be proven again.",
        check: lands,
    },
];

fn asked(bench: &Bench) -> Found {
    for (name, place, made) in bench.candidates(&[FITTING, CLASHING].concat())? {
        ensure!(made.target == place.target, "for {name} the target was another one: {made:?}.");
        ensure!(made.change == place.change.tip, "for {name} the change was another one: {made:?}.");
        let again = place.opened_again()?;
        let forward = again.contains(&made.commit, &place.target.expected)?;
        ensure!(forward, "for {name} the commit does not descend from the target's.");
        ensure!(made.commit != place.target.expected, "for {name} the commit is the target's own.");
        ensure!(!made.reflog.contains('\n'), "for {name} the line for the reflog is several.");
    }
    Ok(())
}

fn there(bench: &Bench) -> Found {
    for (name, place, made) in bench.candidates(FITTING)? {
        let found = place.tree(&made.commit);
        ensure!(found.is_ok(), "for {name} something is missing: {found:?}.");
    }
    Ok(())
}

fn kept(bench: &Bench) -> Found {
    for (name, place, made) in bench.candidates(&[FITTING, CLASHING, &[UNRELATED]].concat())? {
        match place.repository.certify(&made) {
            Err(Error::NotConserved { losses }) => ensure!(false, "for {name} this is not there: {losses:?}."),
            // How it is made is another rule's.
            Ok(_) | Err(Error::Object { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn made(bench: &Bench) -> Found {
    for (name, place, made) in bench.candidates(FITTING)? {
        if let Err(error @ (Error::Object { .. } | Error::Unproven { .. })) = place.repository.certify(&made) {
            ensure!(false, "for {name} there is none: {error}.");
        }
    }
    Ok(())
}

fn lands(bench: &Bench) -> Found {
    for (name, place, made) in bench.candidates(FITTING)? {
        let landed = || -> crate::Result<_> {
            let certificate = place.repository.certify(&made)?;
            place.repository.record(&certificate)?;
            let landing = place.repository.land(&made, Checkout::Refuse)?;
            let (branch, from, to) = (made.target.branch.clone(), made.target.expected.clone(), made.commit.clone());
            Ok((landing, place.opened_again()?.verify(&LandingRange { branch, from, to })?))
        };
        let (landing, verified) =
            landed().map_err(|error| Failure::Broken(format!("for {name} it was an error: {error}.")))?;
        ensure!(landing == Landing::Landed, "for {name} it did not: {landing:?}.");
        ensure!(verified.holds(), "for {name} it cannot: {verified:?}.");
    }
    Ok(())
}
