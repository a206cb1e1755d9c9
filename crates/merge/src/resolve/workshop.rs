//! Where resolvers have programs run. This crate starts none of them.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::File;
use crate::{CommitId, RepoPath, Result};

/// A place in which a command can run: a sandbox with a checkout, a directory for a trusted program.
///
/// What it runs on was written by agents, so whoever implements this decides how far it is trusted.
#[async_trait]
pub trait Workshop: Debug + Send + Sync + 'static {
    /// Runs a job from a fresh start, and takes back what it asks for.
    ///
    /// # Errors
    /// When it could not be run. A command that fails is a [`Done`] with another status than 0.
    async fn run(&self, job: &Job) -> Result<Done>;
}

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// The commit to check out, in the directory that the command starts in. None: an empty directory.
    pub checkout: Option<CommitId>,
    /// Files to put there first.
    pub files: Vec<(RepoPath, Vec<u8>)>,
    /// The program and its arguments. No shell.
    pub command: Vec<String>,
    /// The files to take back; one that is not there any more is left out.
    pub collect: Vec<RepoPath>,
    /// How long it may take.
    pub time_limit: Duration,
}

impl Job {
    pub(super) fn new(command: Vec<String>, time_limit: Duration) -> Self {
        Self { checkout: None, files: Vec::new(), command, collect: Vec::new(), time_limit }
    }
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The exit status; nothing when it was killed, took too long, or nobody knows.
    pub status: Option<i32>,
    /// The files that were asked for and are there. A symbolic link's content is where it points.
    pub files: Vec<(RepoPath, File)>,
    /// The end of what it said.
    pub output: String,
}
