//! Kills before every system call of the landing process that changes anything, one after the other.

use std::path::Path;

use super::child;
use super::scene::{Doing, Scene};
use super::tally::Tally;
use crate::strace::{CALLS, End, Follow, MOST, inject};
use crate::{Failure, progress};

pub(super) fn all(strace: &Path, doing: Doing) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for call in CALLS {
        for step in 1..=MOST {
            let scene = Scene::new(doing)?;
            let child = child::command(doing, &scene.path, scene.prepared.as_os_str())?;
            // The programs that it starts live on, as they do when it is killed.
            if inject(strace, &child, call, step, Follow::Nobody)? == End::Survived {
                progress(&format!("{}: {} before {call}", doing.name(), step - 1));
                break;
            }
            scene.judge(&mut tally)?;
        }
    }
    Ok(tally)
}
