//! Asking an agent again whose change failed its gate.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use crate::attempt::Attempt;
use crate::shutdown::Phase;
use crate::{Outcome, Result, Stage, Verdict};

/// How much of what the gate printed last goes into the prompt, in bytes.
const SAID: u64 = 12 << 10;

impl Attempt {
    /// Has the agent work again as long as the gate is red and it has turns left.
    pub(crate) async fn go_on(&mut self, mut outcome: Outcome) -> Result<Outcome> {
        while let Some(prompt) = self.another_turn(&outcome) {
            self.turn_of_agent += 1;
            self.follow_up = Some(prompt.clone());
            self.stage(Stage::Again { turn: self.turn_of_agent, prompt }).await?;
            let report = self.work().await?;
            self.stage(Stage::Worked { report: report.clone() }).await?;
            outcome = self.capture_and_land(report).await?;
        }
        Ok(outcome)
    }

    /// What an agent came to that changed nothing after its gate had failed: asking it the same again would not help.
    pub(crate) fn still_red(&mut self) -> Outcome {
        self.turn_of_agent = self.task.turns;
        let why = "the agent changed nothing after the gate had failed".to_owned();
        Outcome::GateFailed { verdict: Verdict::Failed { why } }
    }

    /// The prompt for another turn, if there shall be one.
    fn another_turn(&self, outcome: &Outcome) -> Option<String> {
        let Outcome::GateFailed { verdict: Verdict::Failed { why } } = outcome else { return None };
        let may = self.turn_of_agent < self.task.turns && self.tree.is_some() && self.watch.phase() == Phase::Run;
        may.then(|| prompt(why, &self.said(), &self.task.prompt))
    }

    /// The end of what was printed; the gate was the last to print something.
    fn said(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut log = File::open(self.dir.log(&self.task.id, self.number))?;
            let length = log.metadata()?.len();
            log.seek(SeekFrom::Start(length.saturating_sub(SAID)))?;
            let mut bytes = Vec::new();
            log.take(SAID).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        // Without it the agent still knows why.
        read().unwrap_or_default()
    }
}

/// What an agent is told whose change failed: why, what was printed, and its task again.
fn prompt(why: &str, said: &str, task: &str) -> String {
    let said: String = said.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let printed = match said.trim() {
        "" => String::new(),
        said => format!("This was printed last:\n\n{said}\n\n"),
    };
    format!(
        "Your change did not pass its gate, so it has not landed: {why}\n\n{printed}The gate ran on your change merged with the \
         branch that it is meant for. Your work is still in this directory. Mend the cause here and leave the result as \
         before; it is gated again then. Your task was:\n\n{task}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follow_up_says_why_and_what_was_printed_and_the_task() {
        let text = prompt("the gate ended with 1", "a\x1b[31mb\n", "Fix it");
        for part in ["ended with 1", "a[31mb", "Fix it"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains('\x1b'));
        assert!(!prompt("why", " \n", "task").contains("printed last"));
    }
}
