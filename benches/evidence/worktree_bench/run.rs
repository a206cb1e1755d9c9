//! Takes one measurement.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use super::child::{self, Said};
use super::sample::Sample;
use super::variant::Variant;
use super::{capture, check, ignored};
use crate::{Failure, git, usage};

/// Where to measure.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// A repository of our own, with a clean main checkout.
    pub(crate) repo: PathBuf,
    /// The directory of the trees.
    pub(crate) trees: PathBuf,
}

/// How closely what was made is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// git calls it clean.
    Status,
    /// Every byte is compared.
    Whole,
}

/// Makes `count` worktrees at once and removes them again.
pub(crate) fn one(place: &Place, variant: Variant, name: &str, count: usize, look: Look) -> Result<Sample, Failure> {
    let trees: Vec<_> = (0..count).map(|n| place.trees.join(format!("{name}-{n}"))).collect();
    let sample = match variant.workers() {
        Some(settings) => with_git(place, (settings, variant.removal()), &trees, look),
        None => with_child(place, variant, name, &trees, look),
    }?;
    clear(place, &trees)?;
    Ok(sample)
}

fn with_git(
    place: &Place,
    (settings, removal): (&[&str], &[&str]),
    trees: &[PathBuf],
    look: Look,
) -> Result<Sample, Failure> {
    let started = Instant::now();
    let mut sample = all(trees, |tree| {
        let mut add = git::command(&place.repo);
        add.args(settings).args(["worktree", "add", "-q", "-b", &branch(tree)]).arg(tree);
        add
    })?;
    sample.wall = started.elapsed().as_secs_f64();
    inspect(&mut sample, trees, look)?;
    let started = Instant::now();
    let removed = all(trees, |tree| {
        let mut remove = git::command(&place.repo);
        remove.args(removal).arg(tree);
        remove
    })?;
    sample.remove = (removed.failed == 0).then(|| started.elapsed().as_secs_f64());
    Ok(sample)
}

/// Starts a git for each tree, all together, and waits for them.
fn all(trees: &[PathBuf], command: impl Fn(&Path) -> Command) -> Result<Sample, Failure> {
    let start = |tree: &PathBuf| command(tree).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let children = trees.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    let mut sample = Sample::default();
    for child in children {
        let used = usage::measure(child)?;
        sample.failed += usize::from(!used.status.success());
        sample.busy += used.busy.as_secs_f64();
        sample.peak = sample.peak.max(mebibytes(used.peak));
    }
    Ok(sample)
}

fn with_child(place: &Place, variant: Variant, name: &str, trees: &[PathBuf], look: Look) -> Result<Sample, Failure> {
    let mut talk = Talk::start(place, variant, name, trees.len(), None)?;
    let created = talk.hear("created")?;
    let mut sample = Sample {
        wall: created.took.as_secs_f64(),
        busy: created.busy.as_secs_f64(),
        peak: mebibytes(created.peak),
        came: created.more,
        ..Sample::default()
    };
    if let Some(failed) = sample.came.strip_prefix("failed=") {
        sample.failed = failed.parse()?;
    }
    if !variant.is_floor() {
        inspect(&mut sample, trees, look)?;
    }
    if variant.is_hedgerow() {
        sample.remove = Some(talk.ask("release", "released")?.took.as_secs_f64());
    }
    talk.end()?;
    Ok(sample)
}

/// The first `git status` in one tree, and what is in it.
fn inspect(sample: &mut Sample, trees: &[PathBuf], look: Look) -> Result<(), Failure> {
    let Some(tree) = trees.first().filter(|_| sample.failed == 0) else { return Ok(()) };
    let started = Instant::now();
    let status = git::git(tree, &["status", "--porcelain"])?;
    sample.status = Some(started.elapsed().as_secs_f64());
    if !status.is_empty() {
        return Err(format!("{} is not clean: {status}", tree.display()).into());
    }
    if look == Look::Whole { check::whole(tree) } else { Ok(()) }
}

/// Takes away what is left, so that every measurement begins with the same repository.
fn clear(place: &Place, trees: &[PathBuf]) -> Result<(), Failure> {
    for tree in trees {
        match std::fs::remove_dir_all(tree) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        let name = branch(tree);
        if place.repo.join(".git/refs/heads").join(&name).exists() {
            git::git(&place.repo, &["update-ref", "-d", &format!("refs/heads/{name}")])?;
        }
    }
    git::git(&place.repo, &["worktree", "prune"]).map(drop)
}

fn branch(tree: &Path) -> String {
    tree.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A tree claimed from a pool that was filled at the commit `near`.
pub(crate) fn claim(place: &Place, name: &str, near: &str, look: Look) -> Result<Sample, Failure> {
    let mut talk = Talk::start(place, Variant::Claim, name, 1, Some(near))?;
    let created = talk.hear("created")?;
    let tree = place.trees.join(format!("{name}-0"));
    let mut sample = Sample { wall: created.took.as_secs_f64(), came: created.more, ..Sample::default() };
    inspect(&mut sample, std::slice::from_ref(&tree), look)?;
    talk.ask("release", "released")?;
    talk.end()?;
    clear(place, &[tree])?;
    Ok(sample)
}

/// A small change in one worktree: how long hedgerow takes to capture it, and git to see it.
pub(crate) fn capture(place: &Place, name: &str) -> Result<capture::Seen, Failure> {
    let mut talk = Talk::start(place, Variant::Copy, name, 1, None)?;
    talk.hear("created")?;
    let tree = place.trees.join(format!("{name}-0"));
    let seen = capture::change(&tree, || talk.ask("capture", "captured"))?;
    talk.ask("release", "released")?;
    talk.end()?;
    clear(place, &[tree])?;
    Ok(seen)
}

/// A tree with thousands of ignored directories: what git and hedgerow take to see nothing in it, and to remove it.
pub(crate) fn ignored(place: &Place, name: &str) -> Result<ignored::Seen, Failure> {
    ignored::ignore(&place.repo)?;
    let of_git = place.trees.join(format!("{name}-git"));
    git::git(&place.repo, &["worktree", "add", "-q", "-b", &branch(&of_git), &of_git.to_string_lossy()])?;
    ignored::install(&of_git)?;
    ignored::status(&of_git)?;
    let started = Instant::now();
    git::git(&place.repo, &["worktree", "remove", &of_git.to_string_lossy()])?;
    let removed_by_git = started.elapsed().as_secs_f64();

    let mut talk = Talk::start(place, Variant::Copy, name, 1, None)?;
    talk.hear("created")?;
    let tree = place.trees.join(format!("{name}-0"));
    ignored::install(&tree)?;
    // The first one has to read what was just written.
    ignored::status(&tree)?;
    let status = ignored::status(&tree)?;
    let capture = talk.ask("capture", "captured")?.took.as_secs_f64();
    let released = talk.ask("release", "released")?.took.as_secs_f64();
    talk.end()?;
    clear(place, &[of_git, tree])?;
    Ok(ignored::Seen { status, capture, removed_by_git, released })
}

/// A measured process, which says what it did in lines.
struct Talk {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Place {
    /// The directory of the trees, in which the file system puts each somewhere else: without that, ext4 looks at all
    /// inodes of the trees that were just deleted whenever it makes a file, which costs every way more than all else.
    pub(crate) fn make_trees(&self) -> Result<(), Failure> {
        std::fs::create_dir(&self.trees)?;
        // Other file systems know no such thing, and need it not.
        let _ = Command::new("chattr").arg("+T").arg(&self.trees).stderr(Stdio::null()).status();
        Ok(())
    }
}

impl Talk {
    fn start(place: &Place, variant: Variant, name: &str, count: usize, near: Option<&str>) -> Result<Self, Failure> {
        let mut command = child::command(variant, &place.repo, &place.trees, name, count, near)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let out = BufReader::new(child.stdout.take().ok_or("a measured process has no output")?);
        Ok(Self { child, out })
    }

    fn hear(&mut self, what: &str) -> Result<Said, Failure> {
        let mut line = String::new();
        self.out.read_line(&mut line)?;
        Said::parse(&line, what)
    }

    fn ask(&mut self, line: &str, answer: &str) -> Result<Said, Failure> {
        let input = self.child.stdin.as_mut().ok_or("a measured process has no input")?;
        writeln!(input, "{line}")?;
        self.hear(answer)
    }

    fn end(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        if self.child.wait()?.success() { Ok(()) } else { Err("a measured process failed".into()) }
    }
}

fn mebibytes(kibibytes: u64) -> f64 {
    f64::from(u32::try_from(kibibytes).unwrap_or(u32::MAX)) / 1024.0
}
