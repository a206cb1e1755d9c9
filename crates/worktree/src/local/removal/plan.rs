//! What a release would do.

use super::super::layout::Layout;
use super::super::record::Record;
use super::super::safety;
use super::super::{base, locked, release};
use crate::capture::{self, rescue_prefix};
use crate::{Disposition, Fact, Removal, Result, SafetyReport, Seen, Step, repo};

/// Plans for the worktree of this record.
pub(super) fn plan(layout: &Layout, record: &Record, disposition: Disposition, precious: &[String]) -> Result<Removal> {
    let found = safety::inspect(layout, record, precious)?;
    let nested = found.is_kept_by_a_repository(layout.hidden);
    let report = found.report;
    let parts = &record.parts;
    let steps = match &disposition {
        Disposition::Keep => Vec::new(),
        Disposition::Discard => vec![delete(&found.ignored)],
        Disposition::Archive | Disposition::Merged { .. } => {
            let rescue = rescue(layout, record, &report, &disposition, found.head)?;
            let commit = Some(uncommitted(&report)).filter(|paths| *paths > 0).map(|paths| Step::Commit { paths });
            let branch = parts.branch.clone().map(|branch| Step::DeleteBranch { branch });
            let steps = [commit, rescue, Some(delete(&found.ignored)), branch];
            steps.into_iter().flatten().collect()
        }
    };
    let speaks_against = |fact: &Fact| match fact {
        Fact::Processes(_) => true,
        Fact::Precious(_) | Fact::Submodules(_) => disposition != Disposition::Discard,
        Fact::NestedRepositories(_) => nested && disposition != Disposition::Discard,
        _ => false,
    };
    let obstacles = obstacles(layout, record, &report, &disposition, speaks_against);
    let capture::Marks { files, index, history } = found.marks;
    let seen = Seen { files, index, history, ignored: found.ignored.mark };
    let (id, path) = (parts.id.clone(), parts.path.clone());
    Ok(Removal { id, path, disposition, report, steps, obstacles, seen })
}

fn delete(ignored: &safety::Ignored) -> Step {
    Step::DeleteTree { ignored: ignored.files, bytes: ignored.bytes }
}

fn uncommitted(report: &SafetyReport) -> usize {
    let count = |fact: &Fact| match fact {
        Fact::Changed(paths) | Fact::ChangedUnseen(paths) | Fact::Untracked(paths) => paths.count,
        // Most of what is staged is in the files as well; that it is counted twice only makes the number larger.
        Fact::Staged(paths) | Fact::Unmerged(paths) => paths.count,
        _ => 0,
    };
    report.facts.iter().map(count).sum()
}

fn rescue(
    layout: &Layout,
    record: &Record,
    report: &SafetyReport,
    disposition: &Disposition,
    head: Option<gix::ObjectId>,
) -> Result<Option<Step>> {
    let mut what = Vec::new();
    let base = base::object_id(&record.parts.base)?;
    let into = match disposition {
        Disposition::Merged { into } => Some(into),
        _ => None,
    };
    let repo = repo::open(&layout.common)?;
    if head.is_some_and(|head| !release::is_safe(&repo, record.parts.branch.as_ref(), base, into, head)) {
        what.push("its commits".to_owned());
    }
    for fact in &report.facts {
        match fact {
            Fact::Changed(_) | Fact::ChangedUnseen(_) | Fact::Untracked(_) => what.push("its files".to_owned()),
            Fact::Staged(_) => what.push("what is staged".to_owned()),
            Fact::Unmerged(_) => what.push("the sides of conflicts".to_owned()),
            Fact::Stashes(stashes) => what.push(format!("{} stashes", stashes.count)),
            Fact::Rewritten(commits) => what.push(format!("{} rewritten commits", commits.count)),
            _ => {}
        }
    }
    what.dedup();
    let references = rescue_prefix(&record.parts.id);
    Ok((!what.is_empty()).then_some(Step::Rescue { references, what }))
}

fn obstacles(
    layout: &Layout,
    record: &Record,
    report: &SafetyReport,
    disposition: &Disposition,
    speaks_against: impl Fn(&Fact) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    if *disposition == Disposition::Keep {
        return found;
    }
    found.extend(locked::by_somebody(layout, record));
    let discard = *disposition == Disposition::Discard;
    if let Some(branch) = record.parts.branch.as_ref().filter(|_| discard) {
        found.push(format!("it has a branch, {branch}, so somebody may have worked in it; archive it instead"));
    }
    found.extend(report.facts.iter().filter(|fact| speaks_against(fact)).map(ToString::to_string));
    found.extend(report.unknowns.iter().map(ToString::to_string));
    found
}
