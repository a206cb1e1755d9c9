//! A workshop for tests: a directory, and the programs of this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use hedgerow_merge::{Content, Done, File, Job, Result, Workshop};

use crate::scene::{Scene, git, raw};

#[derive(Debug)]
pub(super) struct Bench {
    repository: PathBuf,
    room: PathBuf,
    runs: AtomicUsize,
}

impl Bench {
    pub(super) fn new(scene: &Scene) -> Self {
        Self { repository: scene.path(), room: scene.beside("bench"), runs: AtomicUsize::new(0) }
    }

    pub(super) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Workshop for Bench {
    async fn run(&self, job: &Job) -> Result<Done> {
        let place = self.room.join(self.runs.fetch_add(1, Ordering::SeqCst).to_string());
        fs::create_dir_all(&place).unwrap();
        if let Some(commit) = &job.checkout {
            git(&self.repository, &["worktree", "add", "-q", "--detach", place.to_str().unwrap(), commit.as_str()]);
        }
        for (path, content) in &job.files {
            fs::write(place.join(path.to_string()), content).unwrap();
        }
        let output = raw(Command::new(&job.command[0]).args(&job.command[1..]), &place);
        let mut files = Vec::new();
        for path in &job.collect {
            let found = place.join(path.to_string());
            if let Ok(content) = fs::read(&found) {
                let executable = fs::metadata(&found).unwrap().permissions().mode() & 0o100 != 0;
                let mode = if executable { 0o100_755 } else { 0o100_644 };
                files.push((path.clone(), File { mode, content: Content::Bytes(content) }));
            }
        }
        let output_text = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Done { status: output.status.code(), files, output: output_text })
    }
}
