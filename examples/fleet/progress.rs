//! What is shown while a run goes on.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use hedgerow_orchestrator::{EventKind, Live, Plan, Stage, Subscription, TaskId};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use crate::table::{clean, outcome};
use crate::tell;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A line per task, redrawn in place.
    Lines,
    /// A line per event.
    Log,
    /// A line of JSON per event.
    Json,
}

impl Show {
    pub(crate) fn for_terminal() -> Self {
        if std::io::stderr().is_terminal() { Self::Lines } else { Self::Log }
    }
}

/// Shows a run until its last event.
pub(crate) async fn show(mut live: Subscription, plan: Plan, show: Show) {
    let lines = (show == Show::Lines).then(|| Lines::new(&plan));
    while let Some(message) = live.next().await {
        match message {
            Live::Event(event) => {
                match show {
                    Show::Json => json(&serde_json::json!({ "event": event })),
                    Show::Log => log(&event.kind),
                    Show::Lines => {}
                }
                if let Some(lines) = &lines {
                    lines.event(&event.kind);
                }
                if event.kind == EventKind::RunFinished {
                    break;
                }
            }
            Live::Output { task, text } => {
                if let Some(lines) = &lines {
                    lines.output(&task, &text);
                }
            }
            Live::Missed(missed) if show == Show::Json => {
                json(&serde_json::json!({ "missed": missed }));
            }
            _ => {}
        }
    }
}

/// Gives the display a moment to show the last events; a run that failed has none.
pub(crate) async fn settle(shown: JoinHandle<()>) {
    let abort = shown.abort_handle();
    if tokio::time::timeout(Duration::from_millis(500), shown).await.is_err() {
        abort.abort();
    }
}

/// A line of JSON; whoever reads them may have gone, and the run goes on.
fn json(line: &serde_json::Value) {
    let _nobody = crate::show(&format!("{line}\n"));
}

fn log(kind: &EventKind) {
    match kind {
        EventKind::Attempt { task, number, stage } => tell(&format!("{task} #{number}: {}", stage_name(stage))),
        EventKind::TaskFinished { task, outcome: end, .. } => {
            let (word, detail) = outcome(end);
            tell(format!("{task}: {word} {detail}").trim_end());
        }
        _ => {}
    }
}

/// What a stage is called in front of people.
pub(crate) fn stage_name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Begun { .. } => "makes its worktree",
        Stage::Working { .. } => "works",
        Stage::Worked { .. } => "has ended",
        Stage::Captured { .. } => "waits to land",
        Stage::Gating { .. } => "is gated",
        Stage::Again { .. } => "works again, after a red gate",
        Stage::Landing { .. } => "lands",
        Stage::Landed { .. } => "has landed",
        Stage::Failed { .. } => "is put away",
        Stage::Abandoned { .. } => "was interrupted, and will be tried again",
        _ => "goes on",
    }
}

/// One line per task, redrawn in place: name, state, time, last output.
struct Lines {
    _all: MultiProgress,
    bars: BTreeMap<TaskId, ProgressBar>,
}

impl Lines {
    fn new(plan: &Plan) -> Self {
        let all = MultiProgress::new();
        let width = plan.tasks.iter().map(|task| task.id.as_str().len()).max().unwrap_or(0);
        let template = format!("{{prefix:{width}}} {{elapsed:>4}} {{wide_msg}}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = |id: &TaskId| {
            let bar = all.add(ProgressBar::new_spinner().with_style(style.clone()));
            bar.set_prefix(id.to_string());
            bar.set_message("waits");
            (id.clone(), bar)
        };
        let bars = plan.tasks.iter().map(|task| bar(&task.id)).collect();
        Self { _all: all, bars }
    }

    fn event(&self, kind: &EventKind) {
        match kind {
            EventKind::Attempt { task, stage, .. } => {
                let Some(bar) = self.bars.get(task) else { return };
                if matches!(stage, Stage::Begun { .. }) {
                    bar.reset_elapsed();
                    bar.enable_steady_tick(Duration::from_millis(250));
                }
                bar.set_message(stage_name(stage));
            }
            EventKind::TaskFinished { task, outcome: end, .. } => {
                let Some(bar) = self.bars.get(task) else { return };
                let (word, detail) = outcome(end);
                bar.finish_with_message(format!("{word} {detail}"));
            }
            _ => {}
        }
    }

    fn output(&self, task: &TaskId, text: &str) {
        let last = text.lines().rev().map(clean).find(|line| !line.is_empty());
        if let (Some(bar), Some(line)) = (self.bars.get(task), last) {
            bar.set_message(format!("works: {line}"));
        }
    }
}
