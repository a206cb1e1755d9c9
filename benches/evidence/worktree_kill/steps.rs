//! Kills before every system call that changes anything, by having strace deliver the signal.

use std::time::Duration;

use super::contender::{Contender, Operation};
use super::round::{self, Tally};
use super::scene::Scene;
use crate::random::Random;
use crate::strace::{CALLS, End, Follow, MOST, inject};
use crate::{Failure, progress};

/// Few files: each is several steps.
pub(super) const FILES: usize = 4;

/// Kills before the first, the second and so on of each call, until there is none left to kill before.
pub(super) fn all(strace: &std::path::Path, scene: &Scene, operation: Operation) -> Result<Tally, Failure> {
    let contender = Contender::Hedgerow;
    let mut tally = Tally::default();
    let mut random = Random::new(1);
    for call in CALLS {
        for step in 1..=MOST {
            let name = format!("{}-{step}", call.replace('_', "-"));
            let works = round::prepare(scene, contender, operation, &name, &mut random, Duration::from_millis(20))?;
            let child = contender.command(operation, scene, &name)?;
            let end = inject(strace, &child, call, step, Follow::Everybody)?;
            round::judge(scene, contender, operation, &name, &works, end, &mut tally)?;
            if end == End::Survived {
                progress(&format!("{} {}: {} before {call}", contender.name(), operation.name(), step - 1));
                break;
            }
        }
    }
    Ok(tally)
}
