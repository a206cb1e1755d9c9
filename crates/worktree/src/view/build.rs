//! Makes the view of one worktree.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{View, alternates, config, dir, git_dir};
use crate::capture::fault;
use crate::{Access, BranchName, Error, Mount, Result, Taken, WorktreeId};

/// Makes the private git directory of a worktree whose branch and index exist already, and says what to mount.
///
/// Nothing of the real repository is changed besides the new directory `hedgerow/views/<id>`. What was begun and not
/// finished is removed again.
///
/// # Errors
/// [`Error::Repository`] when git could not work in a view of this repository, [`Error::Occupied`] when there is a view
/// of this id already.
#[expect(clippy::too_many_arguments, reason = "each is one path or id that the caller alone knows")]
pub(crate) fn build(
    repo: &gix::Repository,
    common: &Path,
    id: &WorktreeId,
    tree: &Path,
    branch: Option<&BranchName>,
    head: gix::ObjectId,
    index: &Path,
    admin: &Path,
) -> Result<View> {
    let objects = alternates::all(&common.join("objects"))?;
    if let Some(problem) = config::obstacle(repo).or_else(|| promised(&objects)) {
        return Err(Error::Repository { path: common.to_owned(), problem });
    }
    let place = dir(common, id);
    let parent = common.join("hedgerow/views");
    private_dir(&parent, true)?;
    if let Err(e) = DirBuilder::new().mode(0o700).create(&place) {
        let problem = "an earlier view is still there; release or recover that worktree first".to_owned();
        return Err(match e.kind() {
            ErrorKind::AlreadyExists => Error::Occupied { what: Taken::Id, name: id.to_string(), problem },
            _ => fault::io("create", &place)(e),
        });
    }
    let made = fill(repo, common, id, branch, head, index, admin, &objects);
    if let Err(e) = made {
        // Nobody has seen it yet, so it holds no work.
        let _ = std::fs::remove_dir_all(&place);
        return Err(e);
    }
    Ok(View { mounts: mounts(common, id, tree, objects) })
}

#[expect(clippy::too_many_arguments, reason = "the second half of `build`, split off so that it can be undone")]
fn fill(
    repo: &gix::Repository,
    common: &Path,
    id: &WorktreeId,
    branch: Option<&BranchName>,
    head: gix::ObjectId,
    index: &Path,
    admin: &Path,
    objects: &[PathBuf],
) -> Result<()> {
    let git = git_dir(common, id);
    for sub in ["", "objects/info", "objects/pack", "refs/heads", "refs/tags", "info", "logs/refs/heads"] {
        private_dir(&git.join(sub), true)?;
    }
    let reference = branch.map(|b| format!("refs/heads/{b}"));
    let head_text = reference.as_ref().map_or_else(|| format!("{head}\n"), |r| format!("ref: {r}\n"));
    let packed = reference.map(|r| format!("{head} {r}\n")).unwrap_or_default();
    let packed = format!("# pack-refs with: peeled fully-peeled sorted \n{packed}");
    write(&git.join("HEAD"), head_text.as_bytes())?;
    write(&git.join("packed-refs"), packed.as_bytes())?;
    write(&git.join("config"), &config::text(repo))?;
    write(&git.join("objects/info/alternates"), &alternates::file(objects))?;
    copy(index, &git.join("index"))?;
    for name in ["shallow", "info/exclude", "info/attributes"] {
        copy_if_there(&common.join(name), &git.join(name))?;
    }
    copy_if_there(&admin.join("info/sparse-checkout"), &git.join("info/sparse-checkout"))?;
    let mut pointer = b"gitdir: ".to_vec();
    pointer.extend_from_slice(std::os::unix::ffi::OsStrExt::as_bytes(git.as_os_str()));
    pointer.push(b'\n');
    write(&dir(common, id).join("dotgit"), &pointer)
}

fn mounts(common: &Path, id: &WorktreeId, tree: &Path, objects: Vec<PathBuf>) -> Vec<Mount> {
    let same = |path: PathBuf, access| Mount { source: path.clone(), target: path, access };
    let mut mounts = vec![same(git_dir(common, id), Access::ReadWrite)];
    mounts.extend(objects.into_iter().map(|path| same(path, Access::ReadOnly)));
    mounts.push(Mount { source: dir(common, id).join("dotgit"), target: tree.join(".git"), access: Access::ReadOnly });
    mounts
}

/// A pack with a `.promisor` beside it refers to objects that only its remote has.
fn promised(objects: &[PathBuf]) -> Option<String> {
    let in_pack = |dir: &PathBuf| std::fs::read_dir(dir.join("pack")).into_iter().flatten().flatten();
    objects.iter().flat_map(in_pack).find(|entry| entry.path().extension().is_some_and(|x| x == "promisor")).map(|entry| {
        format!(
            "{:?} belongs to a partial clone, whose missing objects cannot be fetched from inside a sandbox; complete \
             the clone and repack it, or use direct git access",
            entry.path()
        )
    })
}

fn private_dir(path: &Path, parents: bool) -> Result<()> {
    DirBuilder::new().recursive(parents).mode(0o700).create(path).map_err(fault::io("create", path))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let open = File::options().write(true).create_new(true).mode(0o600).open(path);
    open.and_then(|mut file| file.write_all(bytes)).map_err(fault::io("write", path))
}

/// Copies a file of the host with its time: git takes an index entry that is as old as the index for doubtful, and a
/// later time would make it trust entries that it must not.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(fault::io("read", from))?;
    let modified = source.metadata().and_then(|m| m.modified()).map_err(fault::io("read", from))?;
    let mut target =
        File::options().write(true).create_new(true).mode(0o600).open(to).map_err(fault::io("write", to))?;
    std::io::copy(&mut source, &mut target).map_err(fault::io("write", to))?;
    target.set_modified(modified).map_err(fault::io("write", to))
}

fn copy_if_there(from: &Path, to: &Path) -> Result<()> {
    if from.is_file() { copy(from, to) } else { Ok(()) }
}
