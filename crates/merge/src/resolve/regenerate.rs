//! Files that a command makes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Answer, Answered, Case, Fill, Job, Reply, Resolver, Version, Workshop, involved};
use crate::Result;

/// How long a command may take, if nobody says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Has a command make the conflicting files anew: lock files, generated code.
///
/// Everything else must be decided before, so it goes last in a chain. The command starts with the target's version of
/// the files and is run twice, the second time on what it made: if that changes them again, the result depends on more
/// than the sources, and there is no answer.
#[derive(Clone, Debug)]
pub struct Regenerate {
    command: Vec<String>,
    time_limit: Duration,
    workshop: Arc<dyn Workshop>,
}

impl Regenerate {
    /// Runs a program with arguments in a checkout.
    pub fn new(command: impl IntoIterator<Item = impl Into<String>>, workshop: Arc<dyn Workshop>) -> Self {
        Self { command: command.into_iter().map(Into::into).collect(), time_limit: TIME_LIMIT, workshop }
    }

    /// Gives up after this time, 10 minutes if it is not set.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }
}

#[async_trait]
impl Resolver for Regenerate {
    fn name(&self) -> &str {
        "regenerate"
    }

    async fn resolve(&self, case: &Case<'_>) -> Result<Reply> {
        if case.others_are_open() {
            return Ok(Reply::declined("other paths are not decided yet, and the command needs all of them"));
        }
        let mut answers: Vec<Answered> = case.answers.to_vec();
        let mut last: Option<Vec<Answer>> = None;
        for _ in 0..2 {
            let fill = Fill::Take(Version::Target);
            let Some(commit) = case.repository.sketch(case.conflict, &answers, &fill)? else {
                return Ok(Reply::declined("the two sides do not merge even with the target's version of these files"));
            };
            let mut job = Job::new(self.command.clone(), self.time_limit);
            job.checkout = Some(commit);
            job.collect = case.open.iter().flat_map(|path| involved(path)).cloned().collect();
            let done = self.workshop.run(&job).await?;
            if done.status != Some(0) {
                let status = done.status.map_or("was stopped".into(), |status| format!("ended with {status}"));
                let said = done.output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
                return Ok(Reply::declined(format!("{} {status}: {said}", self.command.join(" "))));
            }
            let made = case.open.iter().map(|path| {
                let mine = |name| involved(path).contains(&name);
                let files = done.files.iter().filter(|(name, _)| mine(name)).cloned().collect();
                Answer { conflict: path.id.clone(), files }
            });
            let made: Vec<Answer> = made.collect();
            if last.as_ref() == Some(&made) {
                return Ok(made.into());
            }
            answers = case.answers.to_vec();
            answers.extend(made.iter().cloned().map(|answer| Answered { answer, by: self.name().to_owned() }));
            last = Some(made);
        }
        Ok(Reply::declined(format!("{} makes something else each time", self.command.join(" "))))
    }
}
