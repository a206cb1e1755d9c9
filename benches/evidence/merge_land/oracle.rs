//! git, landing the same topics in the same order.

use std::path::Path;
use std::time::{Duration, Instant};

use super::lander::Came;
use crate::topics::Topic;
use crate::{Failure, git};

/// The branch that git lands on.
const BESIDE: &str = "refs/heads/evidence-git";

/// How it compares.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// What git's own programs took for each landing.
    pub(super) taken: Vec<Duration>,
    /// Landings after which both had the same tree.
    pub(super) same: usize,
    /// Those after which they had not.
    pub(super) other: Vec<String>,
    /// Those that were a conflict for one of both.
    pub(super) one_sided: Vec<String>,
}

/// Lands them all with git and compares every tree on the way.
pub(super) fn compare(repo: &Path, base: &str, topics: &[Topic], came: &[Came]) -> Result<Compared, Failure> {
    git::git(repo, &["update-ref", BESIDE, base])?;
    let mut compared = Compared::default();
    let mut at = base.to_owned();
    for (topic, came) in topics.iter().zip(came) {
        let started = Instant::now();
        let merged = git::command(repo).args(["merge-tree", "--write-tree", &at, topic.tip.as_str()]).output()?;
        let tree = match merged.status.code() {
            Some(0) => Some(String::from_utf8_lossy(&merged.stdout).trim().to_owned()),
            Some(1) => None,
            _ => return Err(format!("git: {}", String::from_utf8_lossy(&merged.stderr)).into()),
        };
        if let Some(tree) = &tree {
            let args = ["commit-tree", "-p", &at, "-p", topic.tip.as_str(), "-m", &topic.name, tree];
            let commit = git::git(repo, &args)?;
            git::git(repo, &["update-ref", "-m", &topic.name, BESIDE, &commit, &at])?;
            compared.taken.push(started.elapsed());
            at = commit;
        }
        match (came, tree) {
            (Came::Landed { tree: ours, .. }, Some(tree)) if ours.as_str() == tree => compared.same += 1,
            (Came::Landed { .. }, Some(_)) => compared.other.push(topic.name.clone()),
            (Came::Conflict, None) => {}
            _ => compared.one_sided.push(topic.name.clone()),
        }
    }
    Ok(compared)
}
