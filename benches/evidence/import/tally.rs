//! Counts what became of all cases.

use std::collections::BTreeMap;

use super::level::Level;
use crate::table::Table;

/// What became of one case.
#[derive(Debug)]
pub(super) struct Verdict<'a> {
    /// Whether its tip is in the repository.
    pub(super) accepted: bool,
    pub(super) refused: &'a [String],
    /// What git has against it, if it was asked.
    pub(super) theirs: Option<&'a Option<String>>,
}

#[derive(Debug, Default)]
struct Row {
    cases: u64,
    accepted: u64,
    refused: u64,
    both_accept: u64,
    both_refuse: u64,
    stricter: u64,
    laxer: u64,
    failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    rows: BTreeMap<Level, Row>,
    reasons: BTreeMap<String, (u64, u64)>,
    theirs: BTreeMap<String, u64>,
    packs: BTreeMap<(bool, bool), u64>,
    missed: Vec<String>,
    pub(super) panics: u64,
}

impl Tally {
    pub(super) fn count(&mut self, level: Level, verdict: &Verdict<'_>, place: &str) {
        let row = self.rows.entry(level).or_default();
        row.cases += 1;
        let accepted = verdict.accepted;
        *if accepted { &mut row.accepted } else { &mut row.refused } += 1;
        let mut stricter = false;
        match (verdict.theirs, accepted) {
            (None, _) => {}
            (Some(None), true) => row.both_accept += 1,
            (Some(Some(why)), false) => {
                row.both_refuse += 1;
                *self.theirs.entry(message(why)).or_default() += 1;
            }
            (Some(None), false) => {
                row.stricter += 1;
                stricter = true;
            }
            (Some(Some(why)), true) => {
                row.laxer += 1;
                self.miss(format!("{place}: git refuses what got in: {why}"));
            }
        }
        if !accepted && verdict.refused.is_empty() {
            // A ref or HEAD that names something else is no refusal.
            *self.theirs.entry("(nothing named it)".into()).or_default() += 1;
            if !matches!(level, Level::Refs | Level::Swapped | Level::Moving | Level::Beside) {
                self.miss(format!("{place}: it did not get in, and nothing says why"));
            }
        }
        for why in verdict.refused.iter().take(1).filter(|_| !accepted) {
            let counts = self.reasons.entry(reason(why)).or_default();
            counts.0 += 1;
            counts.1 += u64::from(stricter);
        }
    }

    pub(super) fn failed(&mut self, level: Level, why: &str) {
        let row = self.rows.entry(level).or_default();
        row.cases += 1;
        row.failed += 1;
        self.miss(format!("the capture failed: {why}"));
    }

    pub(super) fn unsound(&mut self, what: &str) {
        self.miss(format!("git fsck --strict: {what}"));
    }

    pub(super) fn pack(&mut self, theirs: bool, ours: bool) {
        *self.packs.entry((theirs, ours)).or_default() += 1;
    }

    fn miss(&mut self, why: String) {
        crate::progress(&why);
        if self.missed.len() < 20 {
            self.missed.push(why);
        }
    }

    pub(super) fn missed(&self) -> Vec<String> {
        let mut missed = self.missed.clone();
        if self.panics > 0 {
            missed.push(format!("{} panics", self.panics));
        }
        missed
    }

    /// How far it is, in one line.
    pub(super) fn line(&self) -> String {
        let sum = |of: fn(&Row) -> u64| self.rows.values().map(of).sum::<u64>();
        let (cases, accepted, stricter) = (sum(|row| row.cases), sum(|row| row.accepted), sum(|row| row.stricter));
        format!("{cases} cases, {accepted} accepted, {stricter} stricter than git, {} misses", self.missed.len())
    }

    pub(super) fn tables(&self, seed: u64, batches: u64, peak: u64) -> Vec<Table> {
        let columns = [
            "what was wrong",
            "cases",
            "accepted",
            "refused",
            "git agrees",
            "stricter than git",
            "laxer than git",
            "failed",
        ];
        let mut levels = Table::new(format!("Cases by what was wrong; seed {seed}, {batches} repositories"), columns);
        let mut all = Row::default();
        for (level, row) in &self.rows {
            levels.row(cells(level.name(), row, level.is_compared()));
            all.cases += row.cases;
            all.accepted += row.accepted;
            all.refused += row.refused;
            all.both_accept += row.both_accept;
            all.both_refuse += row.both_refuse;
            all.stricter += row.stricter;
            all.laxer += row.laxer;
            all.failed += row.failed;
        }
        levels.row(cells("all", &all, true));
        let mut ends = Table::new(
            "What must not happen",
            ["panics", "hangs", "accepted, and refused by git", "failed captures", "largest MiB"],
        );
        ends.row([
            self.panics.to_string(),
            "0".into(),
            all.laxer.to_string(),
            all.failed.to_string(),
            peak.to_string(),
        ]);
        let mut reasons = Table::new("Refused by reason", ["reason", "cases", "where git accepts"]);
        let mut sorted: Vec<_> = self.reasons.iter().collect();
        sorted.sort_by_key(|(reason, (cases, _))| (std::cmp::Reverse(*cases), (*reason).clone()));
        for (reason, (cases, stricter)) in sorted {
            reasons.row([reason.clone(), cases.to_string(), stricter.to_string()]);
        }
        let mut theirs = Table::new("What git has against the cases that both refuse", ["git's message", "cases"]);
        for (message, cases) in &self.theirs {
            theirs.row([message.clone(), cases.to_string()]);
        }
        let mut packs = Table::new("Packs that git index-pack --strict was asked about", ["git", "hedgerow", "packs"]);
        for ((theirs, ours), count) in &self.packs {
            let word = |taken: bool| if taken { "accepts" } else { "refuses" }.to_owned();
            packs.row([word(*theirs), word(*ours), count.to_string()]);
        }
        vec![levels, ends, reasons, theirs, packs]
    }
}

fn cells(name: &str, row: &Row, compared: bool) -> [String; 8] {
    let of_git = |count: u64| if compared { count.to_string() } else { "-".into() };
    [
        name.into(),
        row.cases.to_string(),
        row.accepted.to_string(),
        row.refused.to_string(),
        of_git(row.both_accept + row.both_refuse),
        of_git(row.stricter),
        of_git(row.laxer),
        row.failed.to_string(),
    ]
}

/// A reason without what differs from case to case.
fn reason(why: &str) -> String {
    let mut quoted = false;
    let words = why.split(' ').map(|word| {
        let was = quoted;
        if word.matches('"').count() % 2 == 1 {
            quoted = !quoted;
        }
        if was || word.contains('"') {
            return "…".to_owned();
        }
        if word.len() > 6 && word.trim_end_matches([':', ',']).bytes().all(|b| b.is_ascii_hexdigit()) {
            return if word.ends_with(':') { "ID:" } else { "ID" }.to_owned();
        }
        if word.contains("refs/") || word.starts_with("pack-") || word.contains(".pack") {
            return "NAME".to_owned();
        }
        word.chars().map(|c| if c.is_ascii_digit() { 'N' } else { c }).collect()
    });
    let mut text: Vec<String> = words.collect();
    text.dedup();
    text.join(" ").chars().take(90).collect()
}

/// git's name for what it found.
fn message(line: &str) -> String {
    let rest = line.split(": ").nth(1).unwrap_or(line);
    let known = rest.chars().all(char::is_alphanumeric);
    if known && line.starts_with("error in") {
        return rest.to_owned();
    }
    let words = line.split_whitespace().filter(|word| word.chars().filter(char::is_ascii_hexdigit).count() < 30);
    words.take(6).collect::<Vec<_>>().join(" ").chars().map(|c| if c.is_ascii_digit() { 'N' } else { c }).collect()
}
