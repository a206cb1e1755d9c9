//! What came of the rounds of one row.

/// How many of each.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rounds: u32,
    /// The command was refused with a typed error, and had not run.
    pub(crate) refused: u32,
    /// The lane said that contact was lost.
    pub(crate) lost: u32,
    /// The command came to its end, with its exit status and all of its output.
    pub(crate) whole: u32,
    /// It was stopped as asked.
    pub(crate) stopped: u32,
    /// What was said was not what had happened, each in words.
    pub(crate) wrong: Vec<String>,
    pub(crate) hung: u32,
    pub(crate) twice: u32,
    /// What was there when it was over, each in words.
    pub(crate) left: Vec<String>,
}

impl Tally {
    pub(crate) fn cells(&self, fault: &str, restore: &str) -> Vec<String> {
        let [wrong, left] = [&self.wrong, &self.left].map(|all| u32::try_from(all.len()).unwrap_or(u32::MAX));
        let counts =
            [self.rounds, self.refused, self.lost, self.whole, self.stopped, wrong, self.hung, self.twice, left];
        [fault.to_owned(), restore.to_owned()].into_iter().chain(counts.iter().map(u32::to_string)).collect()
    }

    pub(crate) fn missed(&self, name: &str) -> Vec<String> {
        let mut missed: Vec<_> = self.wrong.iter().map(|wrong| format!("{name}: {wrong}")).collect();
        missed.extend(self.left.iter().map(|left| format!("{name}: left over: {left}")));
        for (count, what) in [(self.hung, "hung"), (self.twice, "ran twice")] {
            if count > 0 {
                missed.push(format!("{name}: {count} {what}"));
            }
        }
        missed
    }
}
