//! What an agent could commit that git refuses: each case with git's verdict and ours.

mod bombs;
mod commits;
mod containers;
mod forge;
mod nested;
mod oracle;
mod settings;
mod tags;
mod trees;
mod uncommitted;

use std::collections::BTreeMap;

use hedgerow_worktree::{Capture, GitAccess, Notice};

use crate::capture::Lane;
use crate::repo::Repo;
use forge::Forge;
use oracle::Oracle;

/// What became of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ours {
    Accepts,
    /// With a reason that has these words.
    Refuses(&'static str),
}

use Ours::{Accepts, Refuses};

/// A history that an agent could leave.
pub(crate) struct Case {
    pub(crate) name: String,
    /// git's name for what is wrong with it, or nothing when `git fsck --strict` accepts it.
    pub(crate) git: &'static str,
    pub(crate) ours: Ours,
    pub(crate) make: Box<dyn Fn(&Forge) -> String>,
}

pub(crate) fn case(
    name: impl Into<String>,
    git: &'static str,
    ours: Ours,
    make: impl Fn(&Forge) -> String + 'static,
) -> Case {
    Case { name: name.into(), git, ours, make: Box::new(make) }
}

/// A lane with the private git directory as git itself left it.
pub(crate) async fn lane() -> Lane {
    Lane::new(Repo::new(), GitAccess::Private).await
}

pub(crate) fn refused(capture: &Capture) -> String {
    let why = |notice: &Notice| match notice {
        Notice::HistoryRefused { why } => Some(why.clone()),
        _ => None,
    };
    capture.notices.iter().filter_map(why).collect::<Vec<_>>().join("\n")
}

/// Lets git and us judge all cases, each as the history that `HEAD` names.
async fn judge(cases: Vec<Case>) {
    let lane = lane().await;
    let mut oracle = Oracle::new(&lane.repo);
    let mut ours = BTreeMap::new();
    for (n, case) in cases.iter().enumerate() {
        let forge = Forge::new(&lane, n);
        let tip = (case.make)(&forge);
        forge.point(&tip);
        oracle.add(n, &tip, &forge.take());
        let capture = lane.capture().await;
        ours.insert(n, (tip, refused(&capture)));
        // The oracle is asked about the same objects, so they must not be in both places.
        forge.clear();
    }
    let theirs = oracle.judge();
    let wrong: Vec<String> =
        cases.iter().enumerate().filter_map(|(n, case)| wrong(&lane, case, &ours[&n], theirs.get(&n))).collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    // Whatever git would refuse is not in the repository.
    lane.repo.assert_sound();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/import.md");
    if let Ok(page) = std::fs::read_to_string(page) {
        let missing: Vec<String> = cases.iter().map(row).filter(|row| !page.contains(row.as_str())).collect();
        assert!(missing.is_empty(), "docs/import.md lacks\n{}", missing.join("\n"));
    }
}

/// The case as a line of the documentation.
fn row(case: &Case) -> String {
    let git = if case.git.is_empty() { "accepts" } else { case.git };
    let ours = match case.ours {
        Accepts => "accepts".to_owned(),
        Refuses(why) => format!("refuses: {}", why.replace('|', "\\|")),
    };
    format!("| {} | {git} | {ours} |", case.name)
}

fn wrong(lane: &Lane, case: &Case, (tip, why): &(String, String), theirs: Option<&String>) -> Option<String> {
    let there = crate::repo::try_git(lane.repo.path(), ["cat-file", "-e", tip]).status.success();
    let ours = match case.ours {
        Accepts => there && why.is_empty(),
        Refuses(expected) => !there && why.contains(expected) && why.lines().count() == 1,
    };
    let git = match theirs {
        None => case.git.is_empty(),
        Some(said) => !case.git.is_empty() && said.contains(case.git),
    };
    (!ours || !git).then(|| format!("{}: there: {there}, ours: {why:?}, git: {theirs:?}", case.name))
}
