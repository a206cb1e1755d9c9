//! A merge program that somebody installed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::union::one_mode;
use super::{Answer, Case, Content, File, Job, Reply, Resolver, Workshop};
use crate::conflict::{Versions, versions};
use crate::{ConflictPath, Error, RepoPath, Result};

/// How long a program may take for one file, if nobody says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// From this status on, a merge driver of git's has failed, below it, it has left conflicts.
const FAILED: i32 = 129;

/// Asks a program that speaks the protocol of git's merge drivers, such as one that merges syntax trees.
///
/// In its arguments, `%O`, `%A` and `%B` are files with the base, the target's and the change's version, `%L` the length of
/// markers, `%P` the path, and `%S`, `%X`, `%Y` the labels of base, target and change. The program leaves the result in `%A` and ends with 0; with
/// another status, the path stays open. Merges of syntax trees are wrong more often than merges of lines, so only behind
/// a gate.
#[derive(Clone, Debug)]
pub struct Structured {
    name: String,
    command: Vec<String>,
    time_limit: Duration,
    workshop: Arc<dyn Workshop>,
}

impl Structured {
    /// Runs this program with these arguments. The name is what certificates call it.
    pub fn new(
        name: impl Into<String>,
        command: impl IntoIterator<Item = impl Into<String>>,
        workshop: Arc<dyn Workshop>,
    ) -> Self {
        let command = command.into_iter().map(Into::into).collect();
        Self { name: name.into(), command, time_limit: TIME_LIMIT, workshop }
    }

    /// Gives up on a file after this time, 10 seconds if it is not set.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    async fn file(
        &self,
        path: &ConflictPath,
        mode: u32,
        versions: Versions,
    ) -> Result<std::result::Result<File, String>> {
        // The program may tell the language by the ending.
        let name = path.path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let ending = name.iter().rposition(|byte| *byte == b'.').map(|dot| &name[dot..]).unwrap_or_default();
        let file = |what: &str| RepoPath::new([what.as_bytes(), ending].concat());
        let [base, ours, theirs] = ["base", "ours", "theirs"].map(file);
        let size = versions.size.to_string();
        let command = self.command.iter().map(|argument| {
            let values =
                [('O', base.to_string()), ('A', ours.to_string()), ('B', theirs.to_string()), ('L', size.clone())];
            let labels =
                [('P', path.path.to_string()), ('S', "base".into()), ('X', "target".into()), ('Y', "change".into())];
            expand(argument, &values.into_iter().chain(labels).collect::<Vec<_>>())
        });
        let mut job = Job::new(command.collect(), self.time_limit);
        let content = [(base, versions.base), (ours.clone(), versions.ours), (theirs, versions.theirs)];
        job.files = content.into();
        job.collect = vec![ours.clone()];
        let done = self.workshop.run(&job).await?;
        let result = done.files.into_iter().find(|(name, _)| *name == ours).map(|(_, file)| file.content);
        match (done.status, result) {
            (Some(0), Some(content @ Content::Bytes(_))) => Ok(Ok(File { mode, content })),
            (Some(0), _) => Ok(Err("it left no result".into())),
            (Some(status), _) if (1..FAILED).contains(&status) => Ok(Err("it conflicts for the program too".into())),
            (Some(status), _) => Ok(Err(format!("the program failed with {status}: {}", done.output.trim()))),
            (None, _) => Ok(Err("the program was stopped".into())),
        }
    }
}

#[async_trait]
impl Resolver for Structured {
    fn name(&self) -> &str {
        &self.name
    }

    async fn resolve(&self, case: &Case<'_>) -> Result<Reply> {
        if self.command.is_empty() {
            let problem = "give a program and its arguments, with %O, %A and %B";
            return Err(Error::InvalidName { what: "command", name: self.name.clone(), problem });
        }
        let mut reply = Reply::default();
        for path in case.open {
            let found = case.repository.in_memory(|session| versions(session, case.conflict, path))?;
            let (Some(found), Some(mode)) = (found, one_mode(path)) else {
                reply.why = Some(format!("{}: not text on both sides, or of two modes", path.path));
                continue;
            };
            match self.file(path, mode, found).await? {
                Ok(file) => reply.answers.push(Answer::file(path, file)),
                Err(why) => reply.why = Some(format!("{}: {why}", path.path)),
            }
        }
        Ok(reply)
    }
}

/// Replaces `%` and a letter; `%%` is a percent sign, and what is not known stays as it is.
fn expand(argument: &str, values: &[(char, String)]) -> String {
    let mut out = String::new();
    let mut letters = argument.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('%') => out.push('%'),
            Some(known) => match values.iter().find(|(name, _)| *name == known) {
                Some((_, value)) => out.push_str(value),
                None => out.extend(['%', known]),
            },
            None => out.push('%'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_expanded_once() {
        let values = [('O', "base.rs".into()), ('P', "%A/x.rs".into())];
        for (argument, expected) in
            [("%O", "base.rs"), ("-p=%P", "-p=%A/x.rs"), ("%%O", "%O"), ("%Z %", "%Z %"), ("", "")]
        {
            assert_eq!(expand(argument, &values), expected);
        }
    }
}
