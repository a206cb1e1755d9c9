//! The path of a task on one page: every arrow between two crates is one function here, and nowhere else.
//!
//! ```text
//! task ──▶ worktree ──▶ sandbox(agent) ──▶ change ──▶ candidate ──▶ gate ──▶ landed
//! ```

use std::path::Path;
use std::time::Duration;

use hedgerow_merge as merge;
use hedgerow_sandbox as sandbox;
use hedgerow_worktree as worktree;

use crate::layout::{RunDir, RunId};
use crate::state::Begun;
use crate::{Error, GateSpec, Outcome, Result, Task, TaskId};

/// Who agents and snapshots of their work are committed as, unless an agent says otherwise.
pub(crate) const AGENT_NAME: &str = "hedgerow agent";
pub(crate) const AGENT_EMAIL: &str = "agent@hedgerow.invalid";
/// Who candidates are committed as.
const COMMITTER: &str = "hedgerow";
const COMMITTER_EMAIL: &str = "merge@hedgerow.invalid";

/// The labels that every sandbox of a run carries: its run, and the repository that the run belongs to.
const RUN_LABEL: &str = "hedgerow.run";
const REPOSITORY_LABEL: &str = "hedgerow.repository";
/// The longest subject line of a commit that we make from a prompt.
const SUBJECT: usize = 60;

/// Run and task → the names of an attempt, and where it starts.
pub(crate) fn begin(run: &RunId, task: &TaskId, number: u32, base: &merge::CommitId) -> Result<Begun> {
    let run = run.as_str();
    Ok(Begun {
        worktree: worktree::WorktreeId::new(format!("{task}-{run}-{number}"))?,
        branch: worktree::BranchName::new(format!("agent/{task}/{run}-{number}"))?,
        base: to_worktree(base)?,
    })
}

/// Attempt → the worktree that it works in.
pub(crate) fn agent_tree(begun: &Begun, git: worktree::GitAccess, seed: worktree::Seed) -> worktree::Request {
    let base = worktree::Base::Commit(begun.base.clone());
    let mut request = worktree::Request::new(begun.worktree.clone(), begun.branch.clone(), base);
    request.git = git;
    request.seed = seed;
    request
}

/// Lane → how git works inside: through a private view wherever the lane can hide the real repository.
pub(crate) fn git_access(lane: &dyn sandbox::Sandbox) -> worktree::GitAccess {
    match lane.coverage(sandbox::Guarantee::NoHostWrites) {
        sandbox::Coverage::Enforced => worktree::GitAccess::Private,
        _ => worktree::GitAccess::Direct,
    }
}

/// Worktree → the sandbox around it. `files` are read-only directories of ours, visible under their own path.
pub(crate) fn sandbox_of(
    dir: &RunDir,
    tree: &worktree::Worktree,
    policy: &sandbox::Policy,
    home: &Path,
    files: Option<&Path>,
) -> Result<sandbox::Spec> {
    let access = |access| match access {
        worktree::Access::ReadOnly => sandbox::Access::ReadOnly,
        worktree::Access::ReadWrite => sandbox::Access::ReadWrite,
    };
    let mount = |m: &worktree::Mount| sandbox::Mount {
        source: m.source.clone(),
        target: m.target.clone(),
        access: access(m.access),
    };
    let mut mounts: Vec<_> = tree.mounts().iter().map(mount).collect();
    mounts.extend(files.map(|dir| sandbox::Mount {
        source: dir.to_owned(),
        target: dir.to_owned(),
        access: sandbox::Access::ReadOnly,
    }));
    Ok(sandbox::Spec {
        id: sandbox_id(dir, tree.id())?,
        labels: labels(dir),
        policy: policy.clone(),
        mounts,
        home: Some(home.to_owned()),
    })
}

/// Worktree → the name of its sandbox, which finds it again after a restart. An engine may serve several repositories,
/// of which one may be a copy of another with the same runs, so the repository's place is part of it.
pub(crate) fn sandbox_id(dir: &RunDir, tree: &worktree::WorktreeId) -> Result<sandbox::SandboxId> {
    let place = crc32fast::hash(dir.state().as_os_str().as_encoded_bytes());
    Ok(sandbox::SandboxId::new(format!("{tree}-{place:08x}"))?)
}

/// Run → the labels by which its sandboxes are found.
pub(crate) fn labels(dir: &RunDir) -> sandbox::Labels {
    let repository = dir.state().to_string_lossy().into_owned();
    [(RUN_LABEL.to_owned(), dir.id.as_str().to_owned()), (REPOSITORY_LABEL.to_owned(), repository)].into()
}

/// Task → the message for what its agent left uncommitted.
pub(crate) fn message(task: &Task) -> worktree::Message {
    let text = format!("{}\n\nLeft uncommitted by the agent.\n\nTask: {}\n", subject(task), task.id);
    worktree::Message { text, name: AGENT_NAME.into(), email: AGENT_EMAIL.into() }
}

/// Captured work → what of it is missing in the commit. Half a change must not land.
pub(crate) fn missing(tree: Option<&worktree::Worktree>, capture: &worktree::Capture) -> Option<String> {
    use worktree::Notice;
    capture.notices.iter().find_map(|notice| match notice {
        Notice::NestedRepository { path } => Some(format!("{} is a repository of its own", path.display())),
        Notice::HistoryRefused { why } => Some(format!("the history made inside could not be taken over: {why}")),
        // Sockets and pipes hold nothing that could be missing.
        Notice::Unstorable { path, why } => {
            let kind = tree.and_then(|tree| tree.path().join(path).symlink_metadata().ok());
            let holds_work = kind.is_none_or(|kind| kind.is_file() || kind.is_dir());
            holds_work.then(|| format!("{} could not be stored: {why}", path.display()))
        }
        _ => None,
    })
}

/// Captured work → the change that shall land.
pub(crate) fn change(task: &Task, number: u32, capture: &worktree::Capture) -> Result<merge::Change> {
    Ok(merge::Change {
        tip: to_merge(&capture.tip)?,
        subject: subject(task),
        trailers: vec![
            ("Task".into(), task.id.to_string()),
            ("Attempt".into(), number.to_string()),
            ("Agent".into(), task.agent.replace(char::is_control, " ")),
        ],
        committer: merge::Identity { name: COMMITTER.into(), email: COMMITTER_EMAIL.into() },
    })
}

/// Candidate → the clean worktree that its gate runs on.
pub(crate) fn gate_tree(
    begun: &Begun,
    candidate: &merge::Candidate,
    git: worktree::GitAccess,
) -> Result<worktree::Request> {
    let mut request = worktree::Request::detached(gate_tree_id(begun)?, to_worktree(&candidate.commit)?);
    request.git = git;
    Ok(request)
}

/// Attempt → the name of its gate's worktree.
pub(crate) fn gate_tree_id(begun: &Begun) -> Result<worktree::WorktreeId> {
    Ok(worktree::WorktreeId::new(format!("{}.gate", begun.worktree))?)
}

/// A gate that passed: its name, what it runs and in what.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    gate: String,
    runs: Vec<u8>,
    lane: &'static str,
}

impl Pass {
    /// A gate that was given in Rust is known by its name alone.
    pub(crate) fn of_rust(name: &str, lane: &'static str) -> Self {
        Self { gate: name.to_owned(), runs: name.as_bytes().to_vec(), lane }
    }

    /// The gate of a plan is known by its command line. Its variables may hold secrets, and notes are for everybody.
    pub(crate) fn of_plan(spec: &GateSpec, lane: &'static str) -> Self {
        let words: &[String] = match spec {
            GateSpec::Command { command, .. } => command,
            GateSpec::None => &[],
        };
        // No word has a NUL, which the plan's check has seen to.
        Self { gate: "plan".into(), runs: words.join("\0").into_bytes(), lane }
    }
}

/// Candidate → a certificate of what is proven of it, recorded; or what of both sides it would lose.
///
/// A candidate that was journaled before candidates said how they were made lands without.
pub(crate) fn certify(
    repository: &merge::Repository,
    candidate: &merge::Candidate,
    pass: Option<Pass>,
) -> merge::Result<Option<Vec<merge::Loss>>> {
    let mut certificate = match repository.certify(candidate) {
        Ok(certificate) => certificate,
        Err(merge::Error::NotConserved { losses }) => return Ok(Some(losses)),
        Err(merge::Error::Unproven { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if let Some(Pass { gate, runs, lane }) = pass {
        let key = merge::queue::GateKey {
            gate: merge::queue::Digest::of(&runs)?,
            environment: merge::queue::Digest::new(lane),
        };
        let tree = certificate.tree.clone();
        // Of a series that is done again, only the last commit is gated.
        let guarantee = match candidate.made {
            merge::Made::Replay { .. } => merge::queue::Guarantee::HeadGreen,
            _ => merge::queue::Guarantee::EveryCommit,
        };
        certificate = certificate.with_pass(merge::GatePass { gate, key, tree }).under(guarantee);
    }
    repository.record(&certificate)?;
    Ok(None)
}

/// Outcome → what becomes of the worktree: landed work is on the target, everything else is put under a rescue ref.
pub(crate) fn disposition(outcome: &Outcome, begun: &Begun) -> worktree::Disposition {
    match outcome {
        Outcome::Landed { commit, .. } => worktree::Disposition::Merged { into: commit.clone() },
        Outcome::NoChange => worktree::Disposition::Merged { into: begun.base.clone() },
        _ => worktree::Disposition::Archive,
    }
}

/// The time that a policy gives everything to end by itself.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

pub(crate) fn to_worktree(id: &merge::CommitId) -> Result<worktree::CommitId> {
    Ok(worktree::CommitId::new(id.as_str())?)
}

pub(crate) fn to_merge(id: &worktree::CommitId) -> Result<merge::CommitId> {
    Ok(merge::CommitId::new(id.as_str())?)
}

/// The first line of the prompt, short and without heading signs and control characters, after the task's name.
fn subject(task: &Task) -> String {
    let bare = |line: &'_ str| line.trim_matches(|c: char| c == '#' || c.is_whitespace()).to_owned();
    let first = task.prompt.lines().map(bare).find(|line| !line.is_empty()).unwrap_or_default();
    let short: String = first.chars().filter(|c| !c.is_control()).take(SUBJECT).collect();
    if short.is_empty() { task.id.to_string() } else { format!("{}: {short}", task.id) }
}

/// Whether a worktree was made for this run.
pub(crate) fn belongs(tree: &worktree::WorktreeId, run: &RunId) -> bool {
    let name = tree.as_str().strip_suffix(".gate").unwrap_or(tree.as_str());
    let mut parts = name.rsplitn(3, '-');
    parts.next().is_some_and(|number| number.parse::<u32>().is_ok()) && parts.next() == Some(run.as_str())
}

/// Runs what blocks where blocking is allowed; a panic in it is an error of its caller alone.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Panicked { what, message: error.to_string() })
}

/// Worktrees → the repository that changes land in.
pub(crate) fn repository(worktrees: &worktree::LocalWorktrees) -> Result<merge::Repository> {
    Ok(merge::Repository::open(worktrees.repository())?)
}
