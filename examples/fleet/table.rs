//! The closing table.

use std::fmt::Write;

use hedgerow_orchestrator::{Kept, Outcome, Report, Status, TaskReport, Verdict};

use crate::progress::stage_name;

const HEAD: [&str; 7] = ["task", "outcome", "commits", "files", "time", "why", "where its work is"];

/// The report as a table for people.
pub(crate) fn of(report: &Report) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(report.tasks.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..HEAD.len()).map(width).collect();
    let mut text = format!("\nrun {} onto {}\n", report.run, report.target);
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn row(task: &TaskReport) -> [String; 7] {
    let (word, why) = match &task.status {
        Status::Waiting => ("waiting", String::new()),
        Status::Underway(stage) => ("underway", stage_name(stage).to_owned()),
        Status::Ended(end) => outcome(end),
    };
    let time = task.wall.map_or_else(|| "-".to_owned(), |wall| format!("{:.1}s", wall.as_secs_f64()));
    let place = match &task.status {
        Status::Ended(Outcome::Landed { commit, .. }) => format!("{:.12}", commit.as_str()),
        _ => String::new(),
    };
    let places: Vec<_> = task.kept.iter().map(kept).chain([place]).filter(|place| !place.is_empty()).collect();
    let place = if places.is_empty() { "-".to_owned() } else { places.join(", ") };
    let number = |n: usize| if n == 0 { "-".to_owned() } else { n.to_string() };
    let (commits, files) = (number(task.commits), number(task.files));
    [task.task.to_string(), word.to_owned(), commits, files, time, clean(&why), clean(&place)]
}

/// An outcome in one word, and its reason.
pub(crate) fn outcome(end: &Outcome) -> (&'static str, String) {
    match end {
        Outcome::Landed { .. } => ("landed", String::new()),
        Outcome::NoChange => ("no change", String::new()),
        Outcome::AgentFailed { why } => ("agent failed", clean(why)),
        Outcome::Incomplete { why } => ("incomplete", clean(why)),
        Outcome::Conflict { conflict } => {
            let paths: Vec<_> = conflict.paths.iter().take(3).map(|p| format!("{} ({})", p.path, p.kind)).collect();
            let more = conflict.paths.len().saturating_sub(3);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            ("conflict", clean(&format!("in {}{more}", paths.join(", "))))
        }
        Outcome::GateFailed { verdict: Verdict::Failed { why } } => ("gate failed", clean(why)),
        Outcome::GateFailed { .. } => ("gate failed", String::new()),
        Outcome::NotLanded { why } => ("not landed", clean(why)),
        Outcome::Skipped { because } => ("skipped", format!("needs {because}")),
        Outcome::Cancelled => ("cancelled", String::new()),
        Outcome::Broken { why } => ("broken", clean(why)),
        other => ("ended", clean(&format!("{other:?}"))),
    }
}

fn kept(kept: &Kept) -> String {
    match kept {
        Kept::Rescue(rescue) => rescue.reference.clone(),
        Kept::Tree { path, why } => format!("{} ({why})", path.display()),
    }
}

/// Text from agents without what would move a terminal's cursor or change its colours.
pub(crate) fn clean(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
