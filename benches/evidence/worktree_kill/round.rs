//! One kill and all that follows it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hedgerow_worktree::{Disposition, WorktreeManager};

use super::contender::{Contender, Operation};
use super::scene::{Scene, Work};
use crate::Failure;
use crate::random::Random;
use crate::strace::End;
use crate::worktree_child::request;

/// What was seen in all rounds.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) kills: usize,
    /// How often everything had been done, or nothing begun, when the kill came.
    pub(super) done: usize,
    pub(super) entries: usize,
    pub(super) half: usize,
    pub(super) branches: usize,
    /// Retries at the same place that failed when nobody recovered anything.
    pub(super) retries: usize,
    pub(super) broken: Vec<String>,
    /// How often a command met the lock of a ref that had been left.
    pub(super) locked: usize,
    /// What was left after the recovery.
    pub(super) left: Vec<String>,
    pub(super) retries_after: usize,
    /// Whether there was work that could be lost.
    pub(super) worked: bool,
    pub(super) lost: u64,
}

/// Kills at random moments, as often as asked for; a kill that came too late does not count.
pub(super) fn random(
    scene: &Scene,
    contender: Contender,
    operation: Operation,
    rounds: u32,
    random: &mut Random,
    report: &dyn Fn(u32),
) -> Result<Tally, Failure> {
    const TRIES: u32 = 3;
    let mut tally = Tally::default();
    let mut whole = measure(scene, contender, operation)?;
    let (mut round, mut tries) = (0, 0);
    while round < rounds {
        let name = format!("w{round}-{tries}");
        let works = prepare(scene, contender, operation, &name, random, whole)?;
        let moment = whole.mul_f64(random.fraction());
        let end = kill_after(contender.command(operation, scene, &name)?, contender, moment)?;
        if end == End::Survived {
            // The machine was less busy than when it was measured.
            whole = whole.mul_f64(0.9);
            tries += 1;
        }
        judge(scene, contender, operation, &name, &works, end, &mut tally)?;
        if end == End::Killed || tries > TRIES * rounds {
            round += 1;
            report(round);
        }
    }
    Ok(tally)
}

/// How long it takes when nobody disturbs it: the longest of some.
fn measure(scene: &Scene, contender: Contender, operation: Operation) -> Result<Duration, Failure> {
    let mut longest = Duration::ZERO;
    let mut ignored = Tally::default();
    for n in 0..3 {
        let name = format!("measure-{n}");
        let works = prepare(scene, contender, operation, &name, &mut Random::new(n), longest)?;
        let mut child = contender.command(operation, scene, &name)?.spawn()?;
        let started = begin(&mut child, contender)?;
        if !child.wait()?.success() {
            return Err(format!("{} {} fails when nobody disturbs it", contender.name(), operation.name()).into());
        }
        longest = longest.max(started.elapsed());
        judge(scene, contender, operation, &name, &works, End::Survived, &mut ignored)?;
    }
    Ok(longest)
}

/// Makes what the operation needs, and the work that it must not lose.
pub(super) fn prepare(
    scene: &Scene,
    contender: Contender,
    operation: Operation,
    name: &str,
    random: &mut Random,
    whole: Duration,
) -> Result<Vec<Work>, Failure> {
    match operation {
        Operation::Create => Ok(Vec::new()),
        Operation::Capture | Operation::Release => Ok(vec![scene.leave_work(name)?]),
        Operation::Recover => {
            // An orphan, a creation and a removal, the latter two killed half-way.
            let (creation, removal) = (format!("{name}-create"), format!("{name}-release"));
            let works = vec![scene.leave_work(name)?, scene.leave_work(&removal)?];
            for (operation, name) in [(Operation::Create, &creation), (Operation::Release, &removal)] {
                let command = contender.command(operation, scene, name)?;
                kill_after(command, contender, whole.mul_f64(random.fraction() / 2.0))?;
            }
            Ok(works)
        }
    }
}

fn begin(child: &mut Child, contender: Contender) -> Result<Instant, Failure> {
    if contender != Contender::Git {
        let out = child.stdout.as_mut().ok_or("its output is a pipe")?;
        let mut line = String::new();
        BufReader::with_capacity(1, out).read_line(&mut line)?;
        if line.trim() != "begin" {
            let said = std::io::read_to_string(child.stderr.take().ok_or("its errors are a pipe")?)?;
            return Err(format!("a child did not begin: {said}").into());
        }
    }
    Ok(Instant::now())
}

fn kill_after(mut command: Command, contender: Contender, moment: Duration) -> Result<End, Failure> {
    // git starts others for parts of the work, which would go on without it.
    let mut child = command.process_group(0).spawn()?;
    let begun = begin(&mut child, contender)?;
    std::thread::sleep(moment.saturating_sub(begun.elapsed()));
    if contender == Contender::Git {
        let group = format!("-{}", child.id());
        Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status()?;
    }
    child.kill()?;
    let status = child.wait()?;
    Ok(if status.signal().is_some() { End::Killed } else { End::Survived })
}

/// Looks at what is there, before and after a recovery.
pub(super) fn judge(
    scene: &Scene,
    contender: Contender,
    operation: Operation,
    name: &str,
    works: &[Work],
    end: End,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let new = operation == Operation::Create;
    if end == End::Killed {
        tally.kills += 1;
        let (locked, broken): (Vec<_>, Vec<_>) =
            scene.broken(name).into_iter().partition(|message| Scene::is_of_lock(message));
        tally.locked += usize::from(!locked.is_empty());
        tally.broken.extend(broken);
        let gone = !scene.tree(name).exists() && scene.entries(name).is_empty() && !scene.has_branch(name);
        if gone || scene.is_whole(name, new) {
            tally.done += 1;
        } else {
            tally.entries += usize::from(!scene.entries(name).is_empty());
            tally.half += usize::from(scene.tree(name).exists());
            tally.branches += usize::from(scene.has_branch(name));
            // For want of anything better, what has no recovery is tried again as it is.
            if new && !retry(scene, contender, name)? {
                tally.retries += 1;
            }
        }
    }
    tally.worked |= !works.is_empty();
    if contender != Contender::Hedgerow {
        return scene.clear(name);
    }
    let before: u64 = works.iter().map(|work| scene.lost(work)).sum::<Result<u64, _>>()?;
    tally.left.extend(scene.recover(name)?);
    let after: u64 = works.iter().map(|work| scene.lost(work)).sum::<Result<u64, _>>()?;
    tally.lost += before.max(after);
    if !retry(scene, contender, name)? {
        tally.retries_after += 1;
    }
    if !scene.recover(name)?.is_empty() {
        tally.retries_after += 1;
    }
    Ok(())
}

/// Whether the worktree can be made at the same place, whole.
fn retry(scene: &Scene, contender: Contender, name: &str) -> Result<bool, Failure> {
    if contender != Contender::Hedgerow {
        let output = contender.command(Operation::Create, scene, name)?.output()?;
        return Ok(output.status.success() && scene.is_whole(name, true));
    }
    let Ok(worktree) = scene.runtime.block_on(scene.manager.create(request(name)?)) else { return Ok(false) };
    let whole = scene.is_whole(name, true);
    scene.runtime.block_on(scene.manager.release(worktree, Disposition::Archive))?;
    Ok(whole)
}
