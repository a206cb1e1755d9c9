//! The repository in which processes are killed, what agents wrote there, and what is left.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hedgerow_worktree::{Disposition, Fate, LocalOptions, LocalWorktrees, WorktreeManager};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::git::{self, git};
use crate::worktree_child::{request, trees};
use crate::{Failure, clone};

/// A repository, and what one needs to work with it.
#[derive(Debug)]
pub(super) struct Scene {
    _place: TempDir,
    pub(super) path: PathBuf,
    pub(super) runtime: Runtime,
    pub(super) manager: LocalWorktrees,
}

/// What an agent wrote into a worktree: paths and their content.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) name: String,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Scene {
    pub(super) fn new(files: usize) -> Result<Self, Failure> {
        let place = clone::temporary()?;
        let path = place.path().join("repository");
        std::fs::create_dir(&path)?;
        git(&path, &["init", "-q", "-b", "main"])?;
        for n in 0..files {
            let dir = path.join(format!("part-{}", n / 20));
            std::fs::create_dir_all(&dir)?;
            std::fs::write(dir.join(format!("file-{n}")), format!("line {n}\n").repeat(1 + n % 200))?;
        }
        git(&path, &["add", "-A"])?;
        git(&path, &["commit", "-q", "-m", "first"])?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let options = LocalOptions::default().grace(Some(Duration::ZERO));
        let manager = LocalWorktrees::open_with(&path, options)?;
        std::fs::create_dir_all(trees(&path))?;
        Ok(Self { _place: place, path, runtime, manager })
    }

    pub(super) fn tree(&self, name: &str) -> PathBuf {
        trees(&self.path).join(name)
    }

    /// The entries of `.git/worktrees` of this name that git takes for entries.
    pub(super) fn entries(&self, name: &str) -> Vec<PathBuf> {
        let dirs = std::fs::read_dir(self.path.join(".git/worktrees")).into_iter().flatten().flatten();
        let named = |path: &PathBuf| {
            let found = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let random = found.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')).is_some_and(|r| r.len() == 8);
            found == name || random
        };
        let left = |path: &PathBuf| path.join("gitdir").exists() || !path.join("HEAD").exists();
        dirs.map(|entry| entry.path()).filter(|path| named(path) && left(path)).collect()
    }

    pub(super) fn has_branch(&self, name: &str) -> bool {
        git(&self.path, &["rev-parse", "-q", "--verify", &format!("refs/heads/{name}")]).is_ok()
    }

    /// Whether the worktree is there and git works in it; a new one must be clean, too.
    pub(super) fn is_whole(&self, name: &str, new: bool) -> bool {
        let tree = self.tree(name);
        tree.exists() && git(&tree, &["status", "--porcelain"]).is_ok_and(|said| !new || said.is_empty())
    }

    /// The commands that everybody needs and that fail.
    pub(super) fn broken(&self, name: &str) -> Vec<String> {
        let other = self.path.with_file_name("other");
        let other = other.to_string_lossy();
        let commands: [&[&str]; 6] = [
            &["worktree", "list", "--porcelain"],
            &["worktree", "add", "-q", "--detach", &other],
            &["worktree", "remove", "--force", &other],
            &["fetch", "-q", "."],
            &["fsck", "--no-dangling"],
            &["gc", "-q"],
        ];
        let failed = commands.into_iter().filter_map(|args| git(&self.path, args).err());
        failed.map(|e| format!("{name}: {e}")).collect()
    }

    /// Whether a message says that git met the lock of a ref: a file, as git's own, that a killed process leaves.
    pub(super) fn is_of_lock(message: &str) -> bool {
        message.contains(".lock': File exists")
    }

    /// Lets an agent work in a worktree that then has no owner: a commit, a change and a new file.
    pub(super) fn leave_work(&self, name: &str) -> Result<Work, Failure> {
        drop(self.runtime.block_on(self.manager.create(request(name)?))?);
        let tree = self.tree(name);
        let text = |what: &str| format!("{what} of {name}\n").repeat(50).into_bytes();
        let files = vec![
            ("committed", text("what was committed")),
            ("part-0/file-0", text("what was changed")),
            ("new", text("what is new")),
        ];
        std::fs::write(tree.join(files[0].0), &files[0].1)?;
        git(&tree, &["add", "-A"])?;
        git(&tree, &["commit", "-q", "-m", "work"])?;
        for (path, content) in &files[1..] {
            std::fs::write(tree.join(path), content)?;
        }
        Ok(Work { name: name.into(), files })
    }

    /// How many bytes of it are neither in the tree nor under a branch or rescue ref.
    pub(super) fn lost(&self, work: &Work) -> Result<u64, Failure> {
        let name = &work.name;
        let rescue = format!("refs/hedgerow/rescue/{name}");
        let refs =
            git::lines(&self.path, &["for-each-ref", "--format=%(refname)", &rescue, &format!("refs/heads/{name}")])?;
        let held = |path: &str, content: &[u8]| {
            let in_tree = std::fs::read(self.tree(name).join(path)).is_ok_and(|found| found == content);
            let under = |r: &String| git::bytes(&self.path, &["cat-file", "blob", &format!("{r}:{path}")]);
            in_tree || refs.iter().any(|r| under(r).is_ok_and(|found| found == content))
        };
        Ok(work.files.iter().filter(|(path, content)| !held(path, content)).map(|(_, c)| c.len() as u64).sum())
    }

    /// Recovers as documented, releases what is adopted, and says what is left of this name all the same.
    pub(super) fn recover(&self, name: &str) -> Result<Vec<String>, Failure> {
        let manager = &self.manager;
        let mut left = self.runtime.block_on(async {
            let recovery = manager.recover().await?;
            let mut left = recovery.left;
            for worktree in recovery.adopted {
                if let Fate::Kept { path, why, .. } = manager.release(worktree, Disposition::Archive).await?.fate {
                    left.push(format!("{path:?} was kept: {why:?}"));
                }
            }
            left.extend(manager.purge().await?.left);
            Ok::<_, hedgerow_worktree::Error>(left)
        })?;
        left.extend(self.entries(name).into_iter().map(|path| format!("the entry {path:?}")));
        if self.has_branch(name) {
            left.push(format!("the branch {name}"));
        }
        let state = self.path.join(".git/hedgerow");
        for dir in [trees(&self.path), state.join("staging"), state.join("trash"), state.join("worktrees")] {
            left.extend(children(&dir).map(|path| format!("{path:?}")));
        }
        Ok(left)
    }

    /// Clears away by hand what a contender without a recovery has left.
    pub(super) fn clear(&self, name: &str) -> Result<(), Failure> {
        for path in self.entries(name).into_iter().chain([self.tree(name)]).filter(|path| path.exists()) {
            std::fs::remove_dir_all(path)?;
        }
        if self.has_branch(name) {
            self.unlock(name)?;
            git(&self.path, &["branch", "-q", "-D", name])?;
        }
        Ok(())
    }

    /// Takes away the locks of refs that the killed one has left, once no child of it can be using them any more.
    fn unlock(&self, name: &str) -> Result<(), Failure> {
        const PATIENCE: Duration = Duration::from_secs(3);
        let locks = ["packed-refs.lock".to_owned(), format!("refs/heads/{name}.lock")];
        for lock in locks.map(|lock| self.path.join(".git").join(lock)) {
            let started = Instant::now();
            while lock.exists() && started.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(20));
            }
            if lock.exists() {
                std::fs::remove_file(&lock)?;
            }
        }
        Ok(())
    }
}

fn children(dir: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}
