//! Moves the branch to what was captured, and makes it last.

use gix::ObjectId;

use super::{Fence, Input, commit, durable, rescue};
use crate::swap::{self, Log, Value};
use crate::{BranchName, Error, Message, Rescue, Result};

/// A move of the branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    /// What the branch named when the capture began.
    pub(super) previous: Option<ObjectId>,
    /// What it shall name.
    pub(super) tip: ObjectId,
}

/// Puts the lines under rescue refs, then moves the branch; objects are durable before, the refs afterwards.
pub(super) fn publish(
    repo: &gix::Repository,
    input: &Input,
    message: &Message,
    to: Move,
    lines: &[ObjectId],
    fence: Fence<'_>,
) -> Result<Vec<Rescue>> {
    let moves = input.branch.as_ref().filter(|_| to.previous != Some(to.tip));
    // What the agent committed too, and whoever captured before: git itself flushes no object that it makes loose.
    let tips: Vec<ObjectId> = lines.iter().copied().chain([to.tip]).filter(|tip| *tip != input.base).collect();
    if !tips.is_empty() {
        durable::sync(repo, input.base, &tips)?;
    }
    if lines.is_empty() && moves.is_none() {
        return Ok(Vec::new());
    }
    let _turn = fence()?;
    let mut rescued: Vec<Rescue> = Vec::new();
    for &line in lines {
        let made = rescue(repo, &input.id, line)?;
        if !rescued.contains(&made) {
            rescued.push(made);
        }
    }
    if let Some(name) = moves {
        branch(repo, name, to, message)?;
        swap::sync(&input.common, &format!("refs/heads/{name}"))?;
    }
    Ok(rescued)
}

/// Moves a branch, if it still names what it did.
fn branch(repo: &gix::Repository, branch: &BranchName, to: Move, message: &Message) -> Result<()> {
    let reference = format!("refs/heads/{branch}");
    let common = repo.common_dir();
    let expected = to.previous.map_or(Value::Missing, Value::Id);
    if expected == Value::Missing
        && let Some(problem) = swap::conflict(common, &reference)?
    {
        return Err(Error::RefMoved { reference, problem });
    }
    let who = commit::signature(message);
    let subject = message.text.lines().next().unwrap_or_default();
    let log = Log::new(repo, &format!("{} <{}>", who.name, who.email), &format!("capture: {subject}"));
    let found = swap::set(common, &reference, to.tip, Some(&log), |value| value == expected)?;
    if found == expected {
        return Ok(());
    }
    let problem = format!("it was expected at {}, and is at {}", shown(expected), shown(found));
    Err(Error::RefMoved { reference, problem })
}

fn shown(value: Value) -> String {
    match value {
        Value::Missing => "nothing".to_owned(),
        Value::Id(id) => id.to_string(),
        Value::Other => "something that is no commit".to_owned(),
    }
}
