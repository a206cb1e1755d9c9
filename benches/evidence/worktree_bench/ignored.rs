//! What a tree costs in which a package manager has put thousands of ignored directories.

use std::path::Path;
use std::time::Instant;

use super::fresh::Ground;
use super::{median, run};
use crate::table::{Evidence, Table};
use crate::{Failure, git};

/// How many directories there are, and how many files in each.
const DIRECTORIES: usize = 10_000;
const FILES: usize = 3;
const NAME: &str = "node_modules-of-the-bench";

/// Seconds, of one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) status: f64,
    pub(crate) capture: f64,
    pub(crate) removed_by_git: f64,
    pub(crate) released: f64,
}

type Figure = fn(&Seen) -> f64;

/// Adds the table.
pub(super) fn ignored(ground: &Ground, rounds: usize, title: &str, evidence: &mut Evidence) -> Result<(), Failure> {
    let one = |round: usize| ground.with(|place| run::ignored(place, &format!("i{round}")));
    let seen = (0..rounds).map(one).collect::<Result<Vec<_>, _>>()?;
    let title = format!("{title}: a tree with {DIRECTORIES} ignored directories of {FILES} files each");
    let mut table = Table::new(title, ["what", "wall s"]);
    let rows: [(&str, Figure); 4] = [
        ("git status", |seen| seen.status),
        ("hedgerow capture", |seen| seen.capture),
        ("git worktree remove", |seen| seen.removed_by_git),
        ("hedgerow, archiving: until it returns", |seen| seen.released),
    ];
    for (what, figure) in rows {
        let middle = median(seen.iter().map(figure).collect()).unwrap_or_default();
        table.row([what.to_owned(), format!("{middle:.4}")]);
    }
    evidence.tables.push(table);
    Ok(())
}

/// Has git ignore the directories, in all trees of the repository.
pub(super) fn ignore(repo: &Path) -> Result<(), Failure> {
    let info = repo.join(".git/info");
    std::fs::create_dir_all(&info)?;
    Ok(std::fs::write(info.join("exclude"), format!("/{NAME}/\n"))?)
}

/// Makes the directories, a hundred beside one another on each level of packages.
pub(super) fn install(tree: &Path) -> Result<(), Failure> {
    const BESIDE: usize = 100;
    for number in 0..DIRECTORIES {
        let package = tree.join(NAME).join(format!("package-{}", number / BESIDE));
        let dir = if number % BESIDE == 0 { package } else { package.join(format!("lib/part-{}", number % BESIDE)) };
        std::fs::create_dir_all(&dir)?;
        for file in 0..FILES {
            std::fs::write(dir.join(format!("{file}.js")), format!("module.exports = {number};\n"))?;
        }
    }
    Ok(())
}

/// How long `git status` takes, which has to call the tree clean.
pub(super) fn status(tree: &Path) -> Result<f64, Failure> {
    let started = Instant::now();
    let status = git::git(tree, &["status", "--porcelain"])?;
    let took = started.elapsed().as_secs_f64();
    if status.is_empty() { Ok(took) } else { Err(format!("git sees {status}").into()) }
}
