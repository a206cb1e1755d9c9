//! One command, one blow, and what came of it.

use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use hedgerow_orchestrator::sandbox::{
    Access, Command, DockerOptions, DockerSandbox, Doubt, End, Exit, Labels, Mount, Output, Policy, Process, Running,
    Sandbox, SandboxId, Spec, Stream,
};
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::Failure;
use crate::lane::IMAGE;
use crate::random::Random;

use super::engine::Engine;
use super::fault::{Blow, Fault};
use super::tally::Tally;

/// After this time without an answer, something hangs.
const HUNG: Duration = Duration::from_secs(180);
/// How long an engine stays away at most.
const AWAY: Duration = Duration::from_millis(1500);
const LINES: u32 = 24;
const CODE: i32 = 7;

pub(crate) fn spec(id: SandboxId, tree: &Path) -> Spec {
    let mount = Mount { source: tree.into(), target: tree.into(), access: Access::ReadWrite };
    Spec { id, labels: Labels::new(), policy: Policy::standard(), mounts: vec![mount], home: None }
}

/// It writes down that it ran, says something for more than a second, and ends with a status of its own.
pub(crate) fn command(tree: &Path) -> Command {
    let script = format!(
        "echo run >> runs; n=0; while [ $n -lt {LINES} ]; do echo line $n; n=$((n+1)); sleep 0.05; done; exit {CODE}"
    );
    Command::new("sh", tree).args(["-c".to_owned(), script]).deadline(Duration::from_secs(120))
}

fn all_lines() -> String {
    (0..LINES).map(|n| format!("line {n}\n")).collect()
}

pub(crate) async fn one(
    engine: &mut Engine,
    fault: Fault,
    random: &mut Random,
    tally: &mut Tally,
) -> Result<(), Failure> {
    tally.rounds += 1;
    let tree = TempDir::new()?;
    let id = SandboxId::new(format!(
        "faults-{}-{}",
        fault.request().1.trim_start_matches('/').replace('/', "-"),
        tally.rounds
    ))?;
    let image = if fault == Fault::ImageRemoved { spare_image(engine)? } else { IMAGE.to_owned() };
    let heard = engine.door.expect(fault);
    let moment = (fault.within().mul_f64(random.fraction()), AWAY.mul_f64(random.fraction()));
    if fault == Fault::OwnerToo {
        owner_too(engine, heard, &id, tree.path(), moment, random, tally).await?;
    } else {
        let lane = DockerSandbox::connect(DockerOptions::new(&image).socket(&engine.door.socket)).await?;
        let mut running = lane.start(spec(id.clone(), tree.path())).await?;
        let hit = Hit { engine, fault, image: &image, moment };
        followed(&mut running, hit, heard, tree.path(), tally).await?;
        // What the engine still has of it is found below.
        let _stopped = timeout(HUNG, running.stop(Duration::from_secs(1))).await;
        let _reaped = lane.reap(Doubt::Leave).await?;
    }
    left_over(engine, tally).await?;
    if runs(tree.path()) > 1 {
        tally.twice += 1;
    }
    Ok(())
}

struct Hit<'e> {
    engine: &'e mut Engine,
    fault: Fault,
    image: &'e str,
    /// How long after the request, and how long the engine stays away.
    moment: (Duration, Duration),
}

async fn followed(
    running: &mut Box<dyn Running>,
    hit: Hit<'_>,
    heard: Receiver<SyncSender<()>>,
    tree: &Path,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let fault = hit.fault;
    let working = async {
        let process = running.exec(command(tree)).await?;
        let stopper = process.stopper();
        if fault == Fault::Stop {
            tokio::spawn(async move {
                sleep(Duration::from_millis(400)).await;
                stopper.stop();
            });
        }
        listen(process).await
    };
    let (outcome, dealt) = tokio::join!(timeout(HUNG, working), deal(hit, heard));
    dealt?;
    match outcome {
        Err(_) => tally.hung += 1,
        Ok(Err(error)) => {
            let before = runs(tree);
            if before > 0 {
                tally.wrong.push(format!("it ran, and was called refused: {error}"));
            }
            tally.refused += 1;
            // Whoever was refused tries again, unless the image is gone for good.
            if fault != Fault::ImageRemoved {
                match timeout(HUNG, again(running, tree)).await {
                    Err(_) => tally.hung += 1,
                    Ok(Ok((out, exit))) if is_whole(&out, &exit) => {}
                    Ok(Ok((_, exit))) => tally.wrong.push(format!("the second try ended with {:?}", exit.end)),
                    Ok(Err(error)) => tally.wrong.push(format!("the second try failed: {error}")),
                }
            }
        }
        Ok(Ok((out, exit))) => judge(&out, &exit, fault, tally),
    }
    Ok(())
}

async fn again(running: &mut Box<dyn Running>, tree: &Path) -> Result<(String, Exit), Failure> {
    listen(running.exec(command(tree)).await?).await
}

fn is_whole(out: &str, exit: &Exit) -> bool {
    exit.end == (End::Exited { code: CODE }) && out == all_lines()
}

fn judge(out: &str, exit: &Exit, fault: Fault, tally: &mut Tally) {
    let prefix = all_lines().starts_with(out);
    match &exit.end {
        End::Exited { code: CODE } if is_whole(out, exit) => tally.whole += 1,
        End::Lost { .. } if prefix => tally.lost += 1,
        End::Stopped if fault == Fault::Stop && prefix => tally.stopped += 1,
        other => tally.wrong.push(format!("{other:?} with {} bytes of output: {:?}", out.len(), tail(out))),
    }
}

fn tail(out: &str) -> String {
    let lines: Vec<_> = out.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("/")
}

async fn listen(mut process: Process) -> Result<(String, Exit), Failure> {
    let mut out = Vec::new();
    while let Some(output) = process.next().await {
        if let Output::Bytes(Stream::Stdout, bytes) = output {
            out.extend(bytes);
        }
    }
    let exit = process.wait().await?;
    Ok((String::from_utf8_lossy(&out).into_owned(), exit))
}

/// Waits for the request, and hits the engine at the moment.
async fn deal(hit: Hit<'_>, heard: Receiver<SyncSender<()>>) -> Result<(), Failure> {
    let Hit { engine, fault, image, moment: (after, away) } = hit;
    let Ok(go) = spawn_blocking(move || heard.recv_timeout(HUNG)).await? else {
        return Err("the request at which the engine is hit never came".into());
    };
    sleep(after).await;
    match fault.blow() {
        Blow::Kill => {
            engine.kill_dockerd()?;
            sleep(away).await;
            tokio::task::block_in_place(|| engine.start_dockerd())?;
        }
        Blow::Term => {
            tokio::task::block_in_place(|| engine.shut_down())?;
            sleep(away).await;
            tokio::task::block_in_place(|| engine.start_dockerd())?;
        }
        Blow::Containerd => {
            engine.kill_containerd()?;
            sleep(away).await;
            engine.start_containerd()?;
        }
        Blow::RemoveImage => drop(engine.docker(&["rmi", "-f", image])?),
        Blow::RemoveContainer => {
            let ids = engine.docker(&["ps", "-aq"])?;
            for id in ids.lines() {
                // It may have ended just now.
                let _gone = engine.docker(&["rm", "-f", id]);
            }
        }
        Blow::FillDisk => {
            engine.fill_disk()?;
            drop(go);
            sleep(Duration::from_millis(2500)).await;
            return engine.free_disk();
        }
    }
    drop(go);
    Ok(())
}

/// The owner is a process of its own, and is killed shortly before or after its engine; then somebody takes over.
async fn owner_too(
    engine: &mut Engine,
    heard: Receiver<SyncSender<()>>,
    id: &SandboxId,
    tree: &Path,
    moment: (Duration, Duration),
    random: &mut Random,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let mut owner = std::process::Command::new(std::env::current_exe()?)
        .args(["engine-faults-child", "--id", id.as_str(), "--tree"])
        .arg(tree)
        .arg("--socket")
        .arg(&engine.door.socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let first = random.fraction() < 0.5;
    let mut hit = Hit { engine, fault: Fault::OwnerToo, image: IMAGE, moment };
    if first {
        let Hit { engine, moment: (after, away), .. } = &mut hit;
        let Ok(go) = spawn_blocking(move || heard.recv_timeout(HUNG)).await? else {
            return Err("the owner never came to wait".into());
        };
        sleep(*after).await;
        owner.kill()?;
        owner.wait()?;
        drop(go);
        engine.kill_dockerd()?;
        sleep(*away).await;
        tokio::task::block_in_place(|| engine.start_dockerd())?;
    } else {
        let engine = Hit { engine: &mut *hit.engine, ..hit };
        deal(engine, heard).await?;
        owner.kill()?;
        owner.wait()?;
    }
    let lane = DockerSandbox::connect(DockerOptions::new(IMAGE).socket(hit.engine.socket())).await?;
    let Some(mut running) = lane.adopt(id).await? else {
        // It ended and was removed by its owner before the blow.
        tally.whole += u32::from(runs(tree) == 1);
        return Ok(());
    };
    match timeout(HUNG, async {
        match running.resume().await? {
            Some(process) => listen(process).await.map(Some),
            None => Ok(None),
        }
    })
    .await
    {
        Err(_) => tally.hung += 1,
        Ok(Err(error)) => tally.wrong.push(format!("taking over failed: {error}")),
        Ok(Ok(Some((out, exit)))) => judge(&out, &exit, Fault::OwnerToo, tally),
        Ok(Ok(None)) => tally.refused += 1,
    }
    let _stopped = timeout(HUNG, running.stop(Duration::from_secs(1))).await;
    let _reaped = lane.reap(Doubt::Leave).await?;
    Ok(())
}

/// How often the command wrote down that it ran.
fn runs(tree: &Path) -> usize {
    std::fs::read_to_string(tree.join("runs")).map_or(0, |text| text.lines().count())
}

/// Containers and their processes, a little after everything is over. They are removed, so that each is counted once.
async fn left_over(engine: &Engine, tally: &mut Tally) -> Result<(), Failure> {
    let mut left = Vec::new();
    for _ in 0..50 {
        left = engine.left()?;
        if left.is_empty() {
            return Ok(());
        }
        sleep(Duration::from_millis(200)).await;
    }
    tally.left.extend(left.into_iter().map(|left| format!("{left} in round {}", tally.rounds)));
    engine.sweep();
    Ok(())
}

/// An image of this round's own, of the same files.
fn spare_image(engine: &Engine) -> Result<String, Failure> {
    let name = "hedgerow-spare:1".to_owned();
    let id = engine.docker(&["create", IMAGE])?;
    engine.docker(&["commit", &id, &name])?;
    engine.docker(&["rm", &id])?;
    Ok(name)
}
