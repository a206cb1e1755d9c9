//! Makes way for refs of this crate: whoever works on the repository itself may have put something in their place, or a
//! ref that has the name of one of their directories, beside which git can have none.
//!
//! What such a ref holds is put under a rescue ref. What is no ref that holds anything goes to the quarantine.

use gix::ObjectId;

use super::rescue::{held_as, prefix, put};
use crate::swap::{self, Value};
use crate::{Result, WorktreeId, disk, quarantine};

/// What the names begin with under which refs are held while they are moved: a random number and the worktree that they
/// become a rescue of follow. They lie beside all directories of refs, where nothing can be in their way.
pub(crate) const MOVED: &str = "refs/hedgerow-moved-";
/// How long that number is.
const TOKEN: usize = 16;

/// What the names of the refs begin with that hold the bases of worktrees.
pub(crate) const PINS: &str = "refs/hedgerow/base/";

/// The ref that keeps the base of a worktree until it is purged. It is called as its admin directory, so that the next
/// worktree of the same id need not wait for that.
pub(crate) fn pin(admin: &str) -> String {
    format!("{PINS}{admin}")
}

const WHY: &str = "it was in the way of a ref of hedgerow, and named no object";

const WHY_TOO_LONG: &str = "it was in the way of a ref of hedgerow, and its name is too long to be deleted as a ref; what it \
                            named is under a rescue ref";

/// What is at the name of a ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No ref; perhaps a directory of others.
    Nothing,
    /// A ref that holds this object.
    Object(ObjectId),
    /// Something that holds nothing: a symbolic ref, one of an object that is not there, or no ref at all.
    Junk,
}

/// Looks without following anything to where it leads.
///
/// # Errors
/// When the packed refs cannot be read.
pub(crate) fn look(repo: &gix::Repository, name: &str) -> Result<Found> {
    let path = repo.common_dir().join(name);
    let loose = match path.symlink_metadata() {
        // Also one that leads to a directory, for which others would take it.
        Ok(meta) if meta.is_symlink() => return Ok(Found::Junk),
        meta => meta.is_ok_and(|meta| !meta.is_dir()),
    };
    Ok(match swap::read(repo.common_dir(), name) {
        Ok(Value::Missing) => Found::Nothing,
        Ok(Value::Id(id)) if repo.has_object(id) => Found::Object(id),
        Ok(_) => Found::Junk,
        Err(_) if loose => Found::Junk,
        Err(e) => return Err(e),
    })
}

/// Makes rescue refs of those that have the name of a directory above this ref.
///
/// At every moment a ref holds what they name. What is left when this is killed is made a rescue ref by [`settle`].
pub(super) fn above(repo: &gix::Repository, id: &WorktreeId, name: &str) -> Result<()> {
    for (end, _) in name.match_indices('/').skip(1) {
        displace(repo, id, &name[..end])?;
    }
    Ok(())
}

/// Makes way for a ref of this name that shall hold `wanted`: above it, below it and in its place.
pub(crate) fn clear(repo: &gix::Repository, id: &WorktreeId, name: &str, wanted: ObjectId) -> Result<()> {
    above(repo, id, name)?;
    below(repo, id, name)?;
    if look(repo, name)? == Found::Object(wanted) {
        return Ok(());
    }
    displace(repo, id, name)
}

/// Takes away what is at this name and below it.
pub(crate) fn clear_all(repo: &gix::Repository, id: &WorktreeId, name: &str) -> Result<()> {
    below(repo, id, name)?;
    displace(repo, id, name)
}

fn below(repo: &gix::Repository, id: &WorktreeId, name: &str) -> Result<()> {
    let common = repo.common_dir();
    for below in swap::below(common, &format!("{name}/"))?.into_keys() {
        displace(repo, id, &below)?;
    }
    let path = common.join(name);
    // What is left in there are no refs.
    if disk::identity(&path).is_some() && std::fs::remove_dir(&path).is_err() {
        quarantine::take(&common.join("hedgerow"), &path, WHY)?;
    }
    Ok(())
}

/// Takes away what is at this name, if anything is.
pub(crate) fn displace(repo: &gix::Repository, id: &WorktreeId, name: &str) -> Result<()> {
    let common = repo.common_dir();
    match look(repo, name)? {
        Found::Nothing => Ok(()),
        Found::Object(object) => {
            let meanwhile = format!("{MOVED}{}-{id}", disk::token()?);
            swap::set(common, &meanwhile, object, None, |value| value == Value::Missing)?;
            swap::sync(common, &meanwhile)?;
            let path = common.join(name);
            if is_too_long(name) && path.symlink_metadata().is_ok() {
                quarantine::take(&common.join("hedgerow"), &path, WHY_TOO_LONG)?;
            } else {
                swap::delete(common, name, |value| value == Value::Id(object))?;
            }
            moved(repo, id, &meanwhile, object)
        }
        Found::Junk => {
            let path = common.join(name);
            if path.symlink_metadata().is_ok() {
                quarantine::take(&common.join("hedgerow"), &path, WHY)?;
            }
            // One that is packed as well would be seen now.
            match look(repo, name)? {
                Found::Junk => swap::delete(common, name, |value| !is_there(repo, value)).map(drop),
                Found::Object(_) => displace(repo, id, name),
                Found::Nothing => Ok(()),
            }
        }
    }
}

/// Whether nobody can lock this ref, and so change it as a ref: there is no room for `.lock` in its name.
fn is_too_long(name: &str) -> bool {
    const LONGEST: usize = 255;
    name.rsplit('/').next().unwrap_or(name).len() + ".lock".len() > LONGEST
}

fn is_there(repo: &gix::Repository, value: Value) -> bool {
    matches!(value, Value::Id(id) if repo.has_object(id))
}

/// Makes a rescue ref of what is held meanwhile.
fn moved(repo: &gix::Repository, id: &WorktreeId, meanwhile: &str, object: ObjectId) -> Result<()> {
    let common = repo.common_dir();
    above(repo, id, &prefix(id))?;
    let reference = match held_as(common, id, object)? {
        Some(name) => name,
        None => put(repo, id, object)?,
    };
    swap::sync(common, &reference)?;
    swap::delete(common, meanwhile, |value| value == Value::Id(object))?;
    Ok(())
}

/// Makes rescue refs of what dead processes held while they moved it out of the way. It is no matter if they live.
pub(crate) fn settle(repo: &gix::Repository) -> Result<()> {
    for (name, held) in swap::beginning(repo.common_dir(), MOVED)? {
        let id = name.get(MOVED.len() + TOKEN + 1..).and_then(|id| WorktreeId::new(id).ok());
        if let (Some(id), Value::Id(object)) = (id, held) {
            moved(repo, &id, &name, object)?;
        }
    }
    Ok(())
}
