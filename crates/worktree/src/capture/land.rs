//! Moves the branch to what was captured, and makes it last.

use std::path::Path;
use std::time::Duration;

use gix::ObjectId;
use gix::actor::Signature;
use gix::date::parse::TimeBuf;
use gix::refs::Target;
use gix::refs::transaction::{PreviousValue, RefEdit};

use super::{Input, commit, fault, rescue};
use crate::{BranchName, Error, Message, Rescue, Result};

/// How long another process's lock on the branch is waited for, and how often.
const WAIT: Duration = Duration::from_secs(1);
const TRIES: u32 = 5;

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
) -> Result<Vec<Rescue>> {
    let moves = input.branch.as_ref().filter(|_| to.previous != Some(to.tip));
    if lines.is_empty() && (to.previous == Some(to.tip) || to.tip == input.base) && moves.is_none() {
        return Ok(Vec::new());
    }
    sync(&input.common)?;
    let mut rescued: Vec<Rescue> = Vec::new();
    for &line in lines {
        let made = rescue(repo, &input.id, line)?;
        sync_ref(&input.common, &made.reference)?;
        if !rescued.contains(&made) {
            rescued.push(made);
        }
    }
    if let Some(name) = moves {
        branch(repo, name, to, message)?;
        sync_ref(&input.common, &format!("refs/heads/{name}"))?;
    }
    Ok(rescued)
}

/// Who the log of a ref names when this crate moved it on its own account.
pub(super) fn machine() -> Signature {
    Signature { name: "hedgerow".into(), email: "hedgerow@localhost".into(), time: gix::date::Time::now_utc() }
}

/// Makes all objects durable that were written so far.
fn sync(common: &Path) -> Result<()> {
    let objects = common.join("objects");
    let dir = std::fs::File::open(&objects).map_err(fault::io("open", &objects))?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&dir).map_err(fault::io("sync", &objects))?;
    #[cfg(not(target_os = "linux"))]
    {
        drop(dir);
        rustix::fs::sync();
    }
    Ok(())
}

/// Moves a branch, if it still names what it did.
fn branch(repo: &gix::Repository, branch: &BranchName, to: Move, message: &Message) -> Result<()> {
    let reference = format!("refs/heads/{branch}");
    let name = gix::refs::FullName::try_from(reference.as_str()).map_err(fault::git("name the branch"))?;
    let expected =
        to.previous.map_or(PreviousValue::MustNotExist, |id| PreviousValue::MustExistAndMatch(Target::Object(id)));
    let subject = message.text.lines().next().unwrap_or_default();
    let edit = RefEdit::update(name, to.tip, expected, format!("capture: {subject}"));
    let who = commit::signature(message);
    let lock = repo.common_dir().join(format!("{reference}.lock"));
    let mut tries = 0;
    let now = loop {
        let moved = repo.edit_references_as([edit.clone()], Some(who.to_ref(&mut TimeBuf::default())));
        let Err(error) = moved else { return Ok(()) };
        let found = repo.try_find_reference(reference.as_str()).ok().flatten();
        let now = found.and_then(|found| found.target().try_id().map(ToOwned::to_owned));
        match (now == to.previous, lock.exists()) {
            (false, _) => break now,
            (true, true) if tries < TRIES => tries += 1,
            (true, true) => return Err(Error::Locked { path: lock, seconds: WAIT.as_secs() * u64::from(TRIES) }),
            (true, false) => return Err(fault::git(format!("move {reference}"))(error)),
        }
        std::thread::sleep(WAIT);
    };
    let shown = |id: Option<ObjectId>| id.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
    let problem = format!("it was expected at {}, and is at {}", shown(to.previous), shown(now));
    Err(Error::RefMoved { reference, problem })
}

/// Makes a loose ref durable, and the directories that lead to it.
fn sync_ref(common: &Path, reference: &str) -> Result<()> {
    let mut path = common.join(reference);
    loop {
        match std::fs::File::open(&path).and_then(|file| file.sync_all()) {
            Ok(()) => {}
            // Somebody packed the refs meanwhile, and git syncs what it packs.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(fault::io("sync", &path)(e)),
        }
        if !path.pop() || path == common {
            return Ok(());
        }
    }
}
