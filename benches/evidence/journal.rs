//! What the journal of a run says about runs and landings that happened twice.

use std::collections::{BTreeMap, BTreeSet};

use hedgerow_orchestrator::{Event, EventKind, Fleet, Stage};

use crate::clone::{Copy, TARGET};
use crate::{Failure, git};

/// All events of the only run of a repository; none when it was killed before the first was durable.
pub(crate) fn events(copy: &Copy) -> Result<Vec<Event>, Failure> {
    let mut runs = crate::markers::entries(&crate::markers::state(copy).join("runs"))?;
    runs.sort();
    let mut all = Vec::new();
    for run in runs {
        // A run that was killed before its first record is durable has no journal, and never began.
        if run.join("journal").exists() {
            let name = run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            all.extend(Fleet::events(&copy.path, &name)?);
        }
    }
    Ok(all)
}

/// Whether the run is over.
pub(crate) fn finished(events: &[Event]) -> bool {
    events.last().is_some_and(|event| event.kind == EventKind::RunFinished)
}

/// How many attempts stand at which stage, as one line.
pub(crate) fn stages(events: &[Event]) -> String {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::Attempt { task, stage, .. } => last.insert(task.as_str(), name(stage)),
            EventKind::TaskFinished { task, .. } => last.insert(task.as_str(), "over"),
            _ => None,
        };
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for stage in last.values() {
        *counts.entry(stage).or_default() += 1;
    }
    let parts: Vec<_> = counts.iter().map(|(stage, count)| format!("{count} {stage}")).collect();
    if parts.is_empty() { "nothing begun".into() } else { parts.join(", ") }
}

/// The attempts whose agents were at work at the end of these events: task and number.
pub(crate) fn working(events: &[Event]) -> BTreeSet<(String, u32)> {
    let mut working = BTreeSet::new();
    for (task, number, stage) in attempts(events) {
        match stage {
            Stage::Working { .. } => working.insert((task.to_owned(), number)),
            _ => working.remove(&(task.to_owned(), number)),
        };
    }
    working
}

/// Of these attempts, those whose agent came to its end after all, and those that were put away.
pub(crate) fn fate(events: &[Event], interrupted: &BTreeSet<(String, u32)>) -> (usize, usize) {
    let ended = |wanted: fn(&Stage) -> bool| {
        let keys =
            attempts(events).filter(|(_, _, stage)| wanted(stage)).map(|(task, number, _)| (task.to_owned(), number));
        keys.collect::<BTreeSet<_>>().intersection(interrupted).count()
    };
    (ended(|stage| matches!(stage, Stage::Worked { .. })), ended(|stage| matches!(stage, Stage::Abandoned { .. })))
}

/// What ran twice, each in one line: an agent started twice in one attempt, one started again although it had ended,
/// and one started before the attempt before it was over.
pub(crate) fn doubled_runs(events: &[Event]) -> Vec<String> {
    let mut doubled = Vec::new();
    let mut started = BTreeSet::new();
    let mut ended = BTreeSet::new();
    let mut open: BTreeMap<&str, u32> = BTreeMap::new();
    for (task, number, stage) in attempts(events) {
        match stage {
            Stage::Working { .. } => {
                if !started.insert((task, number)) {
                    doubled.push(format!("{task} #{number} was started twice"));
                }
                if ended.contains(task) {
                    doubled.push(format!("{task} #{number} was started although its agent had ended"));
                }
                if let Some(other) = open.insert(task, number) {
                    doubled.push(format!("{task} #{number} was started while #{other} was not over"));
                }
            }
            Stage::Worked { .. } => {
                ended.insert(task);
            }
            Stage::Abandoned { .. } | Stage::Landed { .. } | Stage::Failed { .. } => {
                open.remove(task);
            }
            _ => {}
        }
    }
    doubled
}

/// The tasks that have more than one merge commit on the target.
pub(crate) fn doubled_landings(copy: &Copy) -> Result<Vec<String>, Failure> {
    let format = "--format=%(trailers:key=Task,valueonly,separator=%x2C)";
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for task in git::lines(&copy.path, &["log", "--merges", "--first-parent", format, TARGET, "--not", "--remotes"])? {
        if !task.is_empty() {
            *counts.entry(task).or_default() += 1;
        }
    }
    Ok(counts
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(task, count)| format!("{task} landed {count} times"))
        .collect())
}

fn attempts(events: &[Event]) -> impl Iterator<Item = (&str, u32, &Stage)> {
    events.iter().filter_map(|event| match &event.kind {
        EventKind::Attempt { task, number, stage } => Some((task.as_str(), *number, stage)),
        _ => None,
    })
}

fn name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Begun { .. } => "begun",
        Stage::Working { .. } => "working",
        Stage::Worked { .. } => "worked",
        Stage::Captured { .. } => "captured",
        Stage::Gating { .. } => "gating",
        Stage::Landing { .. } => "landing",
        Stage::Landed { .. } => "landed",
        Stage::Failed { .. } => "failed",
        Stage::Abandoned { .. } => "abandoned",
        _ => "elsewhere",
    }
}

#[cfg(test)]
mod tests {
    use hedgerow_orchestrator::{AgentReport, TaskId};

    use super::*;

    fn events(stages: Vec<(u32, Stage)>) -> Vec<Event> {
        let task = TaskId::new("t").unwrap();
        let event = |(seq, (number, stage))| Event {
            seq,
            at: 0,
            kind: EventKind::Attempt { task: task.clone(), number, stage },
        };
        (0..).zip(stages).map(event).collect()
    }

    fn working() -> Stage {
        Stage::Working { path: "/t".into() }
    }

    fn worked() -> Stage {
        Stage::Worked { report: AgentReport::Done }
    }

    fn abandoned() -> Stage {
        Stage::Abandoned { kept: Vec::new() }
    }

    #[test]
    fn an_interrupted_attempt_may_be_tried_again_and_nothing_else_may() {
        assert_eq!(
            doubled_runs(&events(vec![(1, working()), (1, abandoned()), (2, working()), (2, worked())])).len(),
            0
        );
        assert_eq!(doubled_runs(&events(vec![(1, working()), (1, abandoned()), (1, working())])).len(), 1);
        assert_eq!(doubled_runs(&events(vec![(1, working()), (2, working())])).len(), 1);
        assert_eq!(
            doubled_runs(&events(vec![(1, working()), (1, worked()), (1, abandoned()), (2, working())])).len(),
            1
        );
    }

    #[test]
    fn an_agent_that_was_waited_for_is_told_from_one_that_was_put_away() {
        let before = events(vec![(1, working())]);
        let interrupted = super::working(&before);
        assert_eq!(fate(&events(vec![(1, working()), (1, worked())]), &interrupted), (1, 0));
        assert_eq!(
            fate(&events(vec![(1, working()), (1, abandoned()), (2, working()), (2, worked())]), &interrupted),
            (0, 1)
        );
    }
}
