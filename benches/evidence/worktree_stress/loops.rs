//! The other side: git's own commands, each again and again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::{Failure, git};

/// What one loop saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) runs: usize,
    /// How often each kind of message came.
    pub(super) failures: BTreeMap<String, usize>,
}

/// Who makes, moves and deletes branches beside the loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Branches {
    Ours,
    OfGit,
}

/// What the worktree is called that git's own commands add and remove.
const UNRELATED: &str = "unrelated";

/// Whether a message says that somebody looked into git's own worktree in the moment in which git made or removed it.
pub(super) fn is_between_gits(class: &str) -> bool {
    class.starts_with(&format!("fatal: failed to read */{UNRELATED}/"))
}

/// How many of git do so at once.
const CHURNING: usize = 4;

/// All loops, at work.
#[derive(Debug)]
pub(super) struct Loops {
    stop: Arc<AtomicBool>,
    threads: Vec<(String, JoinHandle<Result<Seen, String>>)>,
}

impl Loops {
    /// Starts them, and locks the configuration for some seconds. With `git` in the place of ours, it makes, moves and
    /// deletes branches beside them, as our operations do.
    pub(super) fn start(repository: &Path, locked: u64, branches: Branches) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let other = repository.with_file_name(UNRELATED).to_string_lossy().into_owned();
        let loops: [(&str, Vec<Vec<&str>>); 6] = [
            ("fetch", vec![vec!["fetch", "-q", "self"]]),
            ("worktree prune", vec![vec!["worktree", "prune"]]),
            ("gc", vec![vec!["gc", "-q"]]),
            ("pack-refs --all", vec![vec!["pack-refs", "--all"]]),
            ("worktree list", vec![vec!["worktree", "list", "--porcelain"]]),
            (
                "worktree add, remove",
                vec![vec!["worktree", "add", "-q", "--detach", &other], vec!["worktree", "remove", "--force", &other]],
            ),
        ];
        let mut threads = Vec::new();
        for (name, commands) in loops {
            let commands: Vec<Vec<String>> =
                commands.into_iter().map(|args| args.into_iter().map(str::to_owned).collect()).collect();
            let (stop, repository, other) = (Arc::clone(&stop), repository.to_owned(), PathBuf::from(&other));
            let turn = move || repeat(&repository, &commands, &other, &stop);
            threads.push((name.to_owned(), std::thread::spawn(turn)));
        }
        if branches == Branches::OfGit {
            for n in 0..CHURNING {
                let (stop, repository) = (Arc::clone(&stop), repository.to_owned());
                let name = format!("(branches made, moved and deleted by git, {n})");
                threads.push((name, std::thread::spawn(move || churn(&repository, n, &stop))));
            }
        }
        let lock = repository.join(".git/config.lock");
        let hold = move || {
            std::fs::File::create_new(&lock).map_err(|e| e.to_string())?;
            std::thread::sleep(Duration::from_secs(locked));
            std::fs::remove_file(&lock).map_err(|e| e.to_string())?;
            Ok(Seen { runs: 1, failures: BTreeMap::new() })
        };
        threads.push((format!("(config.lock held for {locked} s)"), std::thread::spawn(hold)));
        Self { stop, threads }
    }

    pub(super) fn finish(self) -> Result<BTreeMap<String, Seen>, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let mut seen = BTreeMap::new();
        for (name, thread) in self.threads {
            seen.insert(name, thread.join().map_err(|_| "a loop panicked")??);
        }
        Ok(seen)
    }
}

/// Makes branches, moves and deletes them.
fn churn(repository: &Path, n: usize, stop: &AtomicBool) -> Result<Seen, String> {
    let mut turn = 0;
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let branch = format!("refs/heads/churn-{n}-{turn}");
        for args in
            [&["update-ref", &branch, "HEAD~1"][..], &["update-ref", &branch, "HEAD"], &["update-ref", "-d", &branch]]
        {
            let output = git::command(repository).args(args).output().map_err(|e| e.to_string())?;
            seen.count(&output);
        }
    }
    Ok(seen)
}

impl Seen {
    fn count(&mut self, output: &Output) {
        self.runs += 1;
        if !output.status.success() {
            let class = class(&String::from_utf8_lossy(&output.stderr));
            *self.failures.entry(class).or_default() += 1;
        }
    }
}

fn repeat(repository: &Path, commands: &[Vec<String>], other: &Path, stop: &AtomicBool) -> Result<Seen, String> {
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        for args in commands {
            let output = git::command(repository).args(args).output().map_err(|e| e.to_string())?;
            seen.count(&output);
        }
        // So that one failure of `add` or `remove` is not counted in all later turns, too.
        if other.exists() && commands.len() > 1 {
            let _ = std::fs::remove_dir_all(other);
        }
    }
    Ok(seen)
}

/// The kind of a message: its first complaint, without what differs each time.
fn class(message: &str) -> String {
    let complains = |line: &&str| line.starts_with("fatal:") || line.starts_with("error:");
    let line = message.lines().find(complains).or_else(|| message.lines().next()).unwrap_or("no message");
    let mut class = String::new();
    for word in line.split(' ') {
        let varies = word.contains('/') || word.chars().any(|c| c.is_ascii_digit());
        let last = word.rsplit('/').next().unwrap_or(word).trim_matches(['\'', '"', ':', '.', ',']);
        let plain = !last.is_empty() && last.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '-' | '_'));
        let fetched = word.contains("refs/remotes/");
        // Where a removal failed before, git adds a number.
        let number =
            |part: &str| part.strip_prefix(UNRELATED).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
        let of_git = word.split('/').any(number);
        let named = if fetched {
            "refs/remotes/*".into()
        } else if plain && of_git {
            format!("*/{UNRELATED}/{last}")
        } else if plain {
            format!("*/{last}")
        } else {
            "*".into()
        };
        class.push_str(if varies { &named } else { word });
        class.push(' ');
    }
    class.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{class, is_between_gits};

    #[test]
    fn only_what_git_does_to_its_own_worktree_is_between_gits() {
        let of =
            |entry: &str| class(&format!("fatal: failed to read /t/a1/.git/worktrees/{entry}/locked: No such file"));
        assert!(is_between_gits(&of("unrelated")) && is_between_gits(&of("unrelated12")));
        assert!(!is_between_gits(&of("task-1-unrelated")));
        assert!(!is_between_gits(&of("task-1-0123abcd")));
    }

    #[test]
    fn messages_of_one_kind_are_one() {
        let one = "fatal: failed to read /t/a1/.git/worktrees/x1/commondir: Success\n";
        let two = "Preparing worktree\nfatal: failed to read /t/b22/.git/worktrees/y7/commondir: Success\n";
        assert_eq!(class(one), class(two));
        assert_eq!(class(one), "fatal: failed to read */commondir Success");
        assert_ne!(class(one), class("fatal: Invalid path '/t/a1/.git/worktrees/x1': No such file or directory"));
    }
}
