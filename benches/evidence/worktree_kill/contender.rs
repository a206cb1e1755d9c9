//! Who is killed, doing what.

use std::process::{Command, Stdio};

use super::scene::Scene;
use crate::worktree_child::What;
use crate::{Failure, git};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    Git,
    Gix,
    Hedgerow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Capture,
    Release,
    Recover,
}

impl Contender {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Gix => "gix",
            Self::Hedgerow => "hedgerow",
        }
    }

    /// A process that does it. All but git write a line when they begin.
    pub(super) fn command(self, operation: Operation, scene: &Scene, name: &str) -> Result<Command, Failure> {
        let what = match (self, operation) {
            (Self::Git, _) => {
                let mut command = git::command(&scene.path);
                command.args(["worktree", "add", "-q", "-b", name]).arg(scene.tree(name));
                command.stdout(Stdio::piped()).stderr(Stdio::null());
                return Ok(command);
            }
            (Self::Gix, _) => What::GixCreate,
            (Self::Hedgerow, Operation::Create) => What::Create,
            (Self::Hedgerow, Operation::Capture) => What::Capture,
            (Self::Hedgerow, Operation::Release) => What::Release,
            (Self::Hedgerow, Operation::Recover) => What::Recover,
        };
        what.command(&scene.path, name)
    }
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Recover => "recover",
        }
    }
}
