//! Our side: tasks that make, fill, capture and remove one worktree after the other.

use hedgerow_worktree::{Disposition, Fate, LocalWorktrees, WorktreeManager};

use crate::Failure;
use crate::worktree_child::{message, request, work};

/// What tasks did, and what failed.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(super) created: usize,
    pub(super) captured: usize,
    pub(super) released: usize,
    /// Worktrees that somebody unregistered while they were leased.
    pub(super) pruned: usize,
    pub(super) failures: Vec<String>,
}

/// Lets so many tasks make so many worktrees each.
pub(crate) async fn load(manager: &LocalWorktrees, prefix: &str, tasks: usize, rounds: usize) -> Load {
    let mut running = tokio::task::JoinSet::new();
    for task in 0..tasks {
        let (manager, prefix) = (manager.clone(), prefix.to_owned());
        running.spawn(async move {
            let mut load = Load::default();
            for round in 0..rounds {
                if let Err(e) = one(&manager, &format!("{prefix}-{task}-{round}"), &mut load).await {
                    load.failures.push(e.to_string());
                }
            }
            load
        });
    }
    let mut sum = Load::default();
    while let Some(done) = running.join_next().await {
        match done {
            Ok(load) => sum.add(&load),
            Err(e) => sum.failures.push(format!("create: {e}")),
        }
    }
    sum
}

async fn one(manager: &LocalWorktrees, name: &str, load: &mut Load) -> Result<(), Failure> {
    let failed = |what: &'static str| move |e: hedgerow_worktree::Error| format!("{what} {name}: {}", causes(&e));
    let worktree = manager.create(request(name)?).await.map_err(failed("create"))?;
    load.created += 1;
    work(&worktree)?;
    manager.capture(&worktree, message()).await.map_err(failed("capture"))?;
    load.captured += 1;
    let known = std::fs::read_to_string(worktree.path().join(".git"))
        .ok()
        .is_some_and(|text| std::path::Path::new(text.trim_start_matches("gitdir: ").trim()).join("gitdir").exists());
    load.pruned += usize::from(!known);
    let released = manager.release(worktree, Disposition::Archive).await.map_err(failed("release"))?;
    if released.fate != Fate::Removed {
        return Err(format!("release {name}: {:?}", released.fate).into());
    }
    load.released += 1;
    Ok(())
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

impl Load {
    pub(super) fn add(&mut self, other: &Self) {
        self.created += other.created;
        self.captured += other.captured;
        self.released += other.released;
        self.pruned += other.pruned;
        self.failures.extend(other.failures.iter().cloned());
    }

    /// One line for the sums and one for each failure.
    pub(crate) fn lines(&self) -> Vec<String> {
        let sums = format!("sums {} {} {} {}", self.created, self.captured, self.released, self.pruned);
        let failures = self.failures.iter().map(|failure| format!("failure {}", failure.replace('\n', " ")));
        std::iter::once(sums).chain(failures).collect()
    }

    /// What a process of its own has written.
    pub(super) fn parse(text: &str) -> Self {
        let mut load = Self::default();
        for line in text.lines() {
            if let Some(failure) = line.strip_prefix("failure ") {
                load.failures.push(failure.to_owned());
            } else if let Some(sums) = line.strip_prefix("sums ") {
                let sums: Vec<usize> = sums.split(' ').filter_map(|sum| sum.parse().ok()).collect();
                if let [created, captured, released, pruned] = sums[..] {
                    load.add(&Self { created, captured, released, pruned, failures: Vec::new() });
                }
            }
        }
        load
    }
}

#[cfg(test)]
mod tests {
    use super::Load;

    #[test]
    fn what_a_process_says_of_its_load_is_understood() {
        let failures = vec!["create x: no\nspace".to_owned()];
        let load = Load { created: 4, captured: 3, released: 2, pruned: 1, failures };
        let again = Load::parse(&format!("begin\n{}\nend\n", load.lines().join("\n")));
        assert_eq!((again.created, again.captured, again.released, again.pruned), (4, 3, 2, 1));
        assert_eq!(again.failures, ["create x: no space"]);
    }
}
