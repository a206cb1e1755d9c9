//! The memory that an idle sandbox takes, besides its program.

use std::process::Stdio;
use std::time::Duration;

use hedgerow_orchestrator::sandbox::{Command, Process, Running};

use super::place::{self, Load, Place};
use crate::lane::Lane;
use crate::table::{Evidence, Table};
use crate::{Failure, progress};

/// What the embedding program works with, in bytes.
const WORK: usize = 64 << 20;

/// How many bytes a native sandbox may take more than one of bubblewrap's: threads and pipes of the embedding program.
const MARGIN: f64 = 256.0;

/// Starts sandboxes one after the other while the embedding program changes all of its own memory between them, and sums
/// up what all processes but their programs have then, shared memory counted once.
pub(super) async fn table(place: &Place, count: usize, evidence: &mut Evidence) -> Result<(), Failure> {
    let mut table = Table::new(
        format!("Memory of an idle sandbox besides its program, as the mean of {count}"),
        ["what", "processes of ours", "KiB each, embedding program quiet", "KiB each, embedding program at work"],
    );
    let mut bubblewrap = None;
    if place.lanes().any(|(lane, _)| lane == Lane::Native) {
        progress("memory of idle bubblewraps");
        let (processes, kib) = wrapped(place, count)?;
        bubblewrap = Some(kib);
        table.row(["bubblewrap".to_owned(), processes.to_string(), format!("{kib:.0}"), format!("{kib:.0}")]);
    }
    for (lane, _) in place.lanes().filter(|(lane, _)| *lane != Lane::Docker) {
        progress(&format!("memory of idle sandboxes, {} lane", lane.name()));
        let (processes, quiet) = kept(place, lane, count, 0).await?;
        let (_, busy) = kept(place, lane, count, WORK).await?;
        table.row([lane.name().to_owned(), processes.to_string(), format!("{quiet:.0}"), format!("{busy:.0}")]);
        for (what, kib) in [("quiet", quiet), ("at work", busy)] {
            if let Some(most) = bubblewrap.map(|most| most + MARGIN).filter(|most| kib > *most) {
                let name = lane.name();
                evidence
                    .missed
                    .push(format!("idle {name} sandbox, embedding program {what}: {kib:.0} KiB, not {most:.0}"));
            }
        }
    }
    evidence.tables.push(table);
    Ok(())
}

/// The mean of our own lanes', and how many processes there are for each.
async fn kept(place: &Place, lane: Lane, count: usize, work: usize) -> Result<(usize, f64), Failure> {
    let (_, sandbox) = place.lanes().find(|(this, _)| *this == lane).ok_or("the lane is not measured")?;
    let mut memory = vec![1_u8; work];
    let before = total(&[std::process::id()]);
    let mut all: Vec<(Box<dyn Running>, Process)> = Vec::new();
    for n in 0..count {
        let mut running = sandbox.start(place::spec(lane, &format!("idle{work}-{n}"), Load::Free)?).await?;
        let process = running.exec(Command::new("sleep", "/").args(["600"])).await?;
        all.push((running, process));
        // What every long-lived program does all the time.
        memory.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
        std::hint::black_box(&memory);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ours = besides_programs(std::process::id());
    let after = total(&[std::process::id()]) + total(&ours);
    for (running, process) in all {
        drop(process);
        running.stop(Duration::ZERO).await?;
    }
    Ok((ours.len() / count, (after - before) / count as f64))
}

fn wrapped(place: &Place, count: usize) -> Result<(usize, f64), Failure> {
    let spawn = |_| place.wrapped(&["sleep", "600"]).stdin(Stdio::null()).spawn();
    let mut children = (0..count).map(spawn).collect::<Result<Vec<_>, _>>()?;
    std::thread::sleep(Duration::from_millis(500));
    let ours = besides_programs(std::process::id());
    let kib = total(&ours) / count as f64;
    for child in &mut children {
        child.kill()?;
        child.wait()?;
    }
    Ok((ours.len() / count, kib))
}

/// All descendants but the programs that were asked for.
fn besides_programs(root: u32) -> Vec<u32> {
    let mut found = children(root);
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children(pid));
        next += 1;
    }
    let name = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    found.retain(|pid| name(pid).trim() != "sleep");
    found
}

fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// The memory of these processes in KiB, where what several share is counted in parts.
fn total(pids: &[u32]) -> f64 {
    let kib = |pid: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0)
    };
    pids.iter().map(kib).sum()
}
