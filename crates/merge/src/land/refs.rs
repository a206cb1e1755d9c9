//! Reading, moving and flushing the ref of a branch.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use gix::ObjectId;
use gix::actor::Signature;
use gix::lock::acquire::Fail;
use gix::refs::transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog};
use gix::refs::{FullName, Target, TargetRef};

use crate::{BranchName, Error, Result};

/// How long a ref that is locked by another process is waited for, with growing pauses.
const PATIENCE: Duration = Duration::from_secs(3);

/// What came of a compare-and-swap.
pub(crate) enum Swap {
    Moved,
    /// Nothing was written; this is what the branch names.
    Elsewhere(Option<ObjectId>),
}

/// What the branch names, or `None` when it does not exist.
pub(crate) fn read(session: &gix::Repository, branch: &BranchName) -> Result<Option<ObjectId>> {
    let name = full_name(branch)?;
    let found = session.try_find_reference(name.as_ref()).map_err(Error::git(format!("read branch {branch}")))?;
    // A lookup also tries other places for the name; only exactly this one counts.
    let Some(found) = found.filter(|found| found.name() == name.as_ref()) else { return Ok(None) };
    match found.target() {
        TargetRef::Object(id) => Ok(Some(id.to_owned())),
        TargetRef::Symbolic(other) => Err(Error::NoBranch {
            branch: branch.to_string(),
            problem: format!("it is another name for {}; name that branch", other.as_bstr()),
        }),
    }
}

/// Moves the branch from `expected` to `new`, with a reflog entry.
pub(crate) fn compare_and_swap(
    session: &gix::Repository,
    branch: &BranchName,
    expected: ObjectId,
    new: ObjectId,
    message: &str,
    who: &Signature,
) -> Result<Swap> {
    let edit = RefEdit {
        change: Change::Update {
            log: LogChange { mode: RefLog::AndReference, force_create_reflog: true, message: message.into() },
            expected: PreviousValue::MustExistAndMatch(Target::Object(expected)),
            new: Target::Object(new),
        },
        name: full_name(branch)?,
        deref: false,
    };
    let patience = Fail::AfterDurationWithBackoff(PATIENCE);
    let mut time = gix::date::parse::TimeBuf::default();
    let prepared = session.refs.transaction().prepare([edit], patience, patience);
    let error = match prepared.and_then(|transaction| transaction.commit(who.to_ref(&mut time))) {
        Ok(_) => return Ok(Swap::Moved),
        Err(error) => error,
    };
    let now = read(session, branch)?;
    if now != Some(expected) {
        return Ok(Swap::Elsewhere(now));
    }
    let locks = [lock_of(session, branch), session.common_dir().join("packed-refs.lock")];
    match locks.into_iter().find(|lock| lock.exists()) {
        Some(path) => Err(Error::Locked { path }),
        None => Err(Error::git(format!("move branch {branch}"))(error)),
    }
}

/// Makes what the branch names survive a power failure.
pub(crate) fn flush(session: &gix::Repository, branch: &BranchName) -> Result<()> {
    let common = session.common_dir();
    let name = format!("refs/heads/{branch}");
    let (loose, log) = (common.join(&name), common.join("logs").join(&name));
    let directories = [&loose, &log].map(|file| file.parent().map(PathBuf::from).unwrap_or_default());
    let [refs, logs] = directories;
    for path in [loose, common.join("packed-refs"), log, refs, logs] {
        match File::open(&path).and_then(|file| file.sync_all()) {
            Ok(()) => {}
            // Packed, never packed, or without a log: what does not exist needs no flush.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::git(format!("flush {path:?} to the disk"))(error)),
        }
    }
    Ok(())
}

fn lock_of(session: &gix::Repository, branch: &BranchName) -> PathBuf {
    session.common_dir().join(format!("refs/heads/{branch}.lock"))
}

fn full_name(branch: &BranchName) -> Result<FullName> {
    FullName::try_from(format!("refs/heads/{branch}")).map_err(Error::git(format!("name branch {branch}")))
}
