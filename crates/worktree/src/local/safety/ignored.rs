//! What no capture takes: ignored files, and the histories of repositories inside.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::Case;

use super::super::layout::Layout;
use super::super::obstacle::obstacle;
use super::super::record::Record;
use super::super::seed::{self, Rules};
use crate::capture::survey::{Extent, Found as Seen, Repository, survey};
use crate::capture::{self, fault};
use crate::{HiddenRepositories, Result, Seed};

/// Ignored files, all in all, and those of them that matter.
#[derive(Debug, Default)]
pub(in crate::local) struct Ignored {
    pub(in crate::local) files: usize,
    pub(in crate::local) bytes: u64,
    /// Those that are listed and not the same in the main checkout.
    pub(super) precious: Vec<BString>,
    /// Repositories whose files are captured, but not their histories.
    pub(in crate::local) nested: Vec<BString>,
    /// Those in ignored directories, of which nothing is captured.
    pub(in crate::local) hidden: Vec<BString>,
    /// What could not be looked at, in words.
    pub(super) unknown: Option<String>,
    /// Why not all repositories in what is ignored are among them, in words: a removal would not find them either.
    pub(super) unsearched: Option<String>,
    /// A number that changes with any of them.
    pub(in crate::local) mark: String,
}

/// A larger file is taken to differ from the one in the main checkout.
const COMPARED: u64 = 16 << 20;

/// Looks through the whole tree, including what git would not look at.
pub(super) fn look(repo: &gix::Repository, layout: &Layout, record: &Record, precious: &[String]) -> Result<Ignored> {
    let tree = &record.parts.path;
    let main = layout.main.as_ref().map(|main| open(main)).transpose()?;
    let mut listed = record.seed.clone();
    listed.patterns.extend(precious.iter().cloned());
    if main.is_none() {
        listed.lists.clear();
    }
    let here = open(tree)?;
    let rules = rules(main.as_ref().unwrap_or(&here), &listed)?;
    let mut looking = Looking {
        rules,
        main,
        tree: here,
        listed: HashSet::new(),
        closed: HashSet::new(),
        roots: Vec::new(),
        directories: 0,
        found: Ignored::default(),
        hasher: gix::hash::hasher(gix::hash::Kind::Sha1),
    };
    let fold = repo.config_snapshot().boolean("core.ignoreCase").unwrap_or(false);
    let case = if fold { Case::Fold } else { Case::Sensitive };
    let mut visit = |one: &Seen<'_>| {
        looking.visit(one);
        ControlFlow::Continue(())
    };
    let unknown =
        survey(tree, &layout.common, case, Extent::Everything, &mut visit).map_err(fault::io("look through", tree))?;
    let Looking { mut found, hasher, roots, directories, .. } = looking;
    found.mark = hasher.try_finalize().map_err(fault::git("hash what was found"))?.to_string();
    found.unknown = unknown.map(|unseen| unseen.to_string());
    // It may be fewer that a removal looks into, and never more.
    if directories > capture::IGNORED_DIRS && layout.hidden == HiddenRepositories::Keep {
        found.unsearched =
            capture::search_ends_early(tree, &layout.common, case, roots)?.and_then(|notice| obstacle(tree, &notice));
    }
    Ok(found)
}

fn open(dir: &Path) -> Result<OwnedFd> {
    Ok(File::open(dir).map_err(fault::io("open", dir))?.into())
}

fn rules(main: &OwnedFd, listed: &Seed) -> Result<Option<Rules>> {
    let any = !listed.patterns.is_empty() || !listed.lists.is_empty();
    any.then(|| Rules::read(main, listed)).transpose()
}

struct Looking {
    rules: Option<Rules>,
    main: Option<OwnedFd>,
    tree: OwnedFd,
    /// Directories of which everything is listed.
    listed: HashSet<BString>,
    /// Ignored directories in which no pattern looks for anything: packages and build output.
    closed: HashSet<BString>,
    /// Ignored directories that are in none.
    roots: Vec<BString>,
    /// How many directories are ignored, with those in them.
    directories: usize,
    found: Ignored,
    hasher: gix::hash::Hasher,
}

impl Looking {
    fn visit(&mut self, one: &Seen<'_>) {
        let at = one.path.rfind_byte(b'/');
        let dir = &one.path[..at.unwrap_or(0)];
        match one.repository {
            Some(Repository::Visible(dir)) => self.found.nested.push(dir.to_owned()),
            Some(Repository::Hidden(dir)) => self.found.hidden.push(dir.to_owned()),
            None => {}
        }
        if one.is_dir() {
            if one.ignored {
                self.directories += 1;
                if !one.within_ignored {
                    self.roots.push(one.path.to_owned());
                }
            }
            return self.directory(one, dir.as_bstr());
        }
        if !one.ignored {
            return;
        }
        self.found.files += 1;
        self.found.bytes += u64::try_from(one.stat.st_size).unwrap_or_default();
        let stat = one.stat;
        self.hasher.update(one.path);
        self.hasher.update(format!("\0{} {} {}\0", stat.st_size, stat.st_mtime, stat.st_mtime_nsec).as_bytes());
        let Some(rules) = &self.rules else { return };
        let is_listed =
            self.listed.contains(dir.as_bstr()) || !self.closed.contains(dir.as_bstr()) && rules.lists(one.path, false);
        if is_listed && !self.is_in_main(one.path) {
            self.found.precious.push(one.path.to_owned());
        }
    }

    fn directory(&mut self, one: &Seen<'_>, around: &BStr) {
        let Some(rules) = &self.rules else { return };
        if self.listed.contains(around) || !self.closed.contains(around) && rules.lists(one.path, true) {
            self.listed.insert(one.path.to_owned());
        } else if self.closed.contains(around) || one.ignored && !rules.reach_into(one.path) {
            self.closed.insert(one.path.to_owned());
        }
    }

    /// Whether the main checkout has the very same file, so that it is not lost.
    fn is_in_main(&self, path: &BStr) -> bool {
        let Some(main) = &self.main else { return false };
        let path = Path::new(OsStr::from_bytes(path));
        let read = |root: &OwnedFd| {
            let file = seed::open_file(root, path).ok()?;
            let meta = file.metadata().ok().filter(|meta| meta.is_file() && meta.len() <= COMPARED)?;
            let mut content = Vec::new();
            file.take(meta.len() + 1).read_to_end(&mut content).ok()?;
            Some(content)
        };
        read(&self.tree).is_some_and(|ours| read(main) == Some(ours))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::usage::Budget;
    use crate::{Base, BranchName, Disposition, Fate, LocalWorktrees, Request, WorktreeId, WorktreeManager};

    fn repository(path: &Path) {
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join(".gitignore"), "/build\n").unwrap();
        let commit = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first"];
        for args in [&["init", "-q"][..], &["add", "-A"], &commit] {
            let git = Command::new("git").current_dir(path).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").status();
            assert!(git.unwrap().success(), "git {args:?}");
        }
    }

    /// Whether as many directories are ignored as are searched, or one more, the outermost among them.
    #[tokio::test]
    async fn a_tree_that_is_kept_because_too_much_of_it_is_ignored_is_planned_to_be_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("repo");
        repository(&path);
        let manager = LocalWorktrees::open(&path).unwrap();
        for (more, is_kept) in [(0, false), (1, true)] {
            let (id, branch) = (WorktreeId::new("fix").unwrap(), BranchName::new("fix").unwrap());
            let worktree = manager.create(Request::new(id.clone(), branch, Base::Head)).await.unwrap();
            for n in 1..capture::IGNORED_DIRS + more {
                std::fs::create_dir_all(worktree.path().join(format!("build/{n}"))).unwrap();
            }
            let plan = manager.plan(&worktree, Disposition::Archive).await.unwrap();
            assert_eq!(plan.obstacles.len(), usize::from(is_kept), "{plan}");
            drop(worktree);
            let eviction = manager.plan_eviction(&Budget { most: 0, least_free: 0 }).await.unwrap();
            assert_eq!(eviction.spared.len(), usize::from(is_kept), "{eviction:?}");
            let worktree = manager.adopt(&id).await.unwrap();
            let released = manager.release(worktree, Disposition::Archive).await.unwrap();
            match released.fate {
                Fate::Removed => assert!(!is_kept),
                Fate::Kept { why, .. } => {
                    let why = why.unwrap();
                    assert!(is_kept && plan.obstacles[0].contains(&why), "{why}: {plan}");
                    assert!(eviction.spared[0].why.contains(&why), "{why}: {eviction:?}");
                }
            }
        }
    }
}
