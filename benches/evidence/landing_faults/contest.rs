//! Landings beside others who want the same target, and where a program wants to be run.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hedgerow_merge::{BranchName, CommitId, Doubt, LandingRange, Repository};
use tempfile::TempDir;

use super::child;
use super::scene::{Doing, Scene, TARGET, history, whole};
use super::tally::Tally;
use crate::git::{self, git};
use crate::random::Random;
use crate::{Failure, clone};

/// How long a process may take for all its landings.
const LONGEST: Duration = Duration::from_secs(240);

/// A repository with changes for two queues.
fn arena(rounds: usize) -> Result<(TempDir, String), Failure> {
    let place = clone::temporary()?;
    let path = place.path().join("repository");
    history(&path)?;
    git(&path, &["checkout", "-q", "--detach"])?;
    let base = git(&path, &["rev-parse", TARGET])?;
    for queue in QUEUES {
        for n in 0..rounds {
            let blob = place.path().join("blob");
            std::fs::write(&blob, format!("{queue} {n}\n"))?;
            let blob = git(&path, &["hash-object", "-w", &blob.to_string_lossy()])?;
            git(&path, &["read-tree", &base])?;
            git(&path, &["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{queue}{n}")])?;
            let tree = git(&path, &["write-tree"])?;
            let tip = git(&path, &["commit-tree", "-p", &base, "-m", "change", &tree])?;
            git(&path, &["branch", &format!("{queue}{n}"), &tip])?;
        }
    }
    git(&path, &["read-tree", &base])?;
    Ok((place, base))
}

const QUEUES: [&str; 2] = ["one-", "two-"];

/// Two processes land on one target at the same time.
pub(super) fn queues(rounds: usize) -> Result<Tally, Failure> {
    let (place, base) = arena(rounds)?;
    let path = place.path().join("repository");
    let mut tally = Tally::default();
    let children = QUEUES.map(|queue| start(&path, queue));
    for child in children {
        wait(child?, &mut tally)?;
    }
    for queue in QUEUES {
        landed(&path, queue, rounds, &base, &[], &mut tally)?;
    }
    whole(&path, &mut tally)?;
    Ok(tally)
}

/// One process lands while somebody else moves the target again and again.
pub(super) fn foreign(rounds: usize) -> Result<Tally, Failure> {
    let (place, base) = arena(rounds)?;
    let path = place.path().join("repository");
    let mut tally = Tally::default();
    let mut child = start(&path, QUEUES[0])?;
    let mut random = Random::new(1);
    let mut moved = Vec::new();
    let begun = Instant::now();
    while child.try_wait()?.is_none() && begun.elapsed() < LONGEST {
        std::thread::sleep(Duration::from_millis(5).mul_f64(1.0 + 60.0 * random.fraction()));
        let at = git(&path, &["rev-parse", TARGET])?;
        let tip = git(&path, &["commit-tree", "-p", &at, "-m", "somebody's", &format!("{at}^{{tree}}")])?;
        // Whoever is slower does not get it.
        if git(&path, &["update-ref", "-m", "somebody", &format!("refs/heads/{TARGET}"), &tip, &at]).is_ok() {
            moved.push(tip);
        }
    }
    wait(child, &mut tally)?;
    tally.faults += moved.len();
    landed(&path, QUEUES[0], rounds, &base, &moved, &mut tally)?;
    for tip in &moved {
        tally.lost += usize::from(git(&path, &["merge-base", "--is-ancestor", tip, TARGET]).is_err());
    }
    whole(&path, &mut tally)?;
    Ok(tally)
}

/// The attributes name a driver that never ends.
pub(super) fn driver() -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for doing in [Doing::Land, Doing::Forward, Doing::Detach] {
        let scene = Scene::new(doing)?;
        let ran = scene.path.with_file_name("ran");
        let driver = format!("touch '{}'; sleep 1000", ran.display());
        for (key, value) in [("merge.hang.driver", driver.as_str()), ("merge.default", "hang")] {
            git(&scene.path, &["config", key, value])?;
        }
        std::fs::write(scene.path.join(".git/info/attributes"), "* merge=hang\n")?;
        // Made again with the driver in place; it is the same candidate.
        let again = super::scene::prepare(&Repository::open(&scene.path)?, "change")?;
        tally.between += usize::from(again.commit != scene.data.candidate.commit);
        let child = child::command(doing, &scene.path, scene.prepared.as_os_str())?.spawn()?;
        wait(child, &mut tally)?;
        scene.judge(&mut tally)?;
        tally.ran += usize::from(ran.exists());
    }
    Ok(tally)
}

fn start(path: &Path, queue: &str) -> Result<Child, Failure> {
    let mut command: Command = child::command(Doing::Queue, path, queue.as_ref())?;
    Ok(command.stderr(Stdio::inherit()).spawn()?)
}

/// Waits for a process; how often it met a target that had moved counts as faults.
fn wait(mut child: Child, tally: &mut Tally) -> Result<(), Failure> {
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > LONGEST {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut said)?;
    }
    let number = |word: &str| said.lines().find_map(|line| line.strip_prefix(word)?.trim().parse::<usize>().ok());
    tally.faults += number("moved").unwrap_or(0);
    tally.landed += number("landed").unwrap_or(0);
    if !child.wait()?.success() {
        tally.retries += 1;
        tally.said.push("a process failed or did not end".into());
    }
    Ok(())
}

/// Every change of a queue landed once and is proven; only what somebody else did has no certificate.
fn landed(
    path: &Path,
    queue: &str,
    rounds: usize,
    base: &str,
    moved: &[String],
    tally: &mut Tally,
) -> Result<(), Failure> {
    let repository = Repository::open(path)?;
    let branch = BranchName::new(TARGET)?;
    let range = LandingRange { from: CommitId::new(base)?, to: repository.tip(&branch)?, branch };
    let verification = repository.verify(&range)?;
    for finding in verification.findings {
        if finding.doubt != Doubt::Uncertified || !moved.iter().any(|tip| tip == finding.commit.as_str()) {
            tally.unproven += 1;
            tally.said.push(format!("{finding:?}"));
        }
    }
    let log = std::fs::read_to_string(path.join(".git/logs/refs/heads").join(TARGET))?;
    for n in 0..rounds {
        let tip = git(path, &["rev-parse", &format!("refs/heads/{queue}{n}")])?;
        let times = verification.proven.iter().filter(|proven| proven.change.as_str() == tip).count();
        tally.lost += usize::from(times == 0);
        tally.doubled += usize::from(times > 1);
        let named = format!("Land {queue}{n}");
        tally.unlogged += usize::from(!log.lines().any(|line| line.ends_with(&named)));
    }
    let merges = git::lines(path, &["rev-list", "--merges", &format!("{base}..{TARGET}")])?.len();
    tally.doubled += usize::from(merges > verification.proven.len());
    Ok(())
}
