//! Many at once.

use std::sync::Arc;
use std::time::Instant;

use hedgerow_orchestrator::sandbox::Sandbox;

use super::place::{self, Load, Place};
use crate::lane::Lane;
use crate::table::{Evidence, Table};
use crate::worktree_bench::median;
use crate::{Failure, progress};

const ROUNDS: usize = 3;

/// What was run at once, how long that took, and how many failed; the first is what the others are compared with.
#[derive(Default)]
struct Rows(Vec<(&'static str, Vec<f64>, usize)>);

impl Rows {
    fn note(&mut self, name: &'static str, (seconds, failed): (f64, usize)) {
        match self.0.iter_mut().find(|(title, ..)| *title == name) {
            Some((_, all, failures)) => {
                all.push(seconds);
                *failures += failed;
            }
            None => self.0.push((name, vec![seconds], failed)),
        }
    }

    fn table(&self, title: String, column: &str, evidence: &mut Evidence) {
        let mut table = Table::new(title.clone(), ["what", column, "failures"]);
        let wall = |all: &[f64]| median(all.to_vec()).unwrap_or(f64::NAN);
        let first = self.0.first().map_or(f64::NAN, |(_, all, _)| wall(all));
        for (name, all, failed) in &self.0 {
            table.row([(*name).to_owned(), format!("{:.2}", wall(all) / first), failed.to_string()]);
            if *failed > 0 {
                evidence.missed.push(format!("{title}: {failed} failures of {name}"));
            }
        }
        evidence.tables.push(table);
    }
}

/// Runs as many at once in each lane that needs no engine, and without one.
pub(super) async fn table(place: &Place, count: usize, evidence: &mut Evidence) -> Result<(), Failure> {
    let mut rows = Rows::default();
    for round in 0..ROUNDS {
        progress(&format!("{count} at once, round {}", round + 1));
        rows.note("plain spawn", place::plain_crowd(count, place::program)?);
        for (lane, sandbox) in place.lanes().filter(|(lane, _)| *lane != Lane::Docker) {
            rows.note(lane.name(), sandboxed(lane, sandbox, count, round).await?);
            if lane == Lane::Native {
                rows.note("bubblewrap", place::plain_crowd(count, || place.wrapped_program())?);
            }
        }
    }
    rows.table(format!("{count} at once"), "wall time of as many plain spawns at once", evidence);
    Ok(())
}

/// The same for containers, if there is an engine.
pub(super) async fn containers(place: &Place, count: usize, evidence: &mut Evidence) -> Result<(), Failure> {
    let Some((lane, sandbox)) = place.lanes().find(|(lane, _)| *lane == Lane::Docker) else { return Ok(()) };
    let mut rows = Rows::default();
    for round in 0..ROUNDS {
        progress(&format!("{count} containers at once, round {}", round + 1));
        rows.note("docker run", place::plain_crowd(count, || place.container())?);
        rows.note(lane.name(), sandboxed(lane, sandbox, count, round).await?);
    }
    rows.table(format!("{count} containers at once"), "wall time of as many `docker run` at once", evidence);
    Ok(())
}

/// The seconds that so many sandboxes take at once, and how many failed.
async fn sandboxed(
    lane: Lane,
    sandbox: &Arc<dyn Sandbox>,
    count: usize,
    round: usize,
) -> Result<(f64, usize), Failure> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..count)
        .map(|n| {
            let (sandbox, name) = (Arc::clone(sandbox), format!("crowd{round}-{n}"));
            tokio::spawn(async move { place::whole(&*sandbox, place::spec(lane, &name, Load::Free)?).await })
        })
        .collect();
    let mut failed = 0;
    for task in tasks {
        if let Err(error) = task.await? {
            failed += 1;
            progress(&format!("{} lane, {count} at once: {error}", lane.name()));
        }
    }
    Ok((began.elapsed().as_secs_f64(), failed))
}
