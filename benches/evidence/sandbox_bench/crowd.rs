//! Many at once.

use std::sync::Arc;
use std::time::Instant;

use super::place::{self, Load, Place};
use crate::lane::Lane;
use crate::table::{Evidence, Table};
use crate::worktree_bench::median;
use crate::{Failure, progress};

const ROUNDS: usize = 3;

/// Runs as many at once in each lane that needs no engine, and without one.
pub(super) async fn table(place: &Place, count: usize, evidence: &mut Evidence) -> Result<(), Failure> {
    let mut rows: Vec<(String, Vec<f64>, usize)> = Vec::new();
    let mut note = |name: &str, seconds: f64, failed: usize| match rows.iter_mut().find(|(title, ..)| title == name) {
        Some((_, all, failures)) => {
            all.push(seconds);
            *failures += failed;
        }
        None => rows.push((name.to_owned(), vec![seconds], failed)),
    };
    for round in 0..ROUNDS {
        progress(&format!("{count} at once, round {}", round + 1));
        let (seconds, failed) = place::plain_crowd(count, place::program)?;
        note("plain spawn", seconds, failed);
        for (lane, sandbox) in place.lanes().filter(|(lane, _)| *lane != Lane::Docker) {
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
            note(lane.name(), began.elapsed().as_secs_f64(), failed);
            if lane == Lane::Native {
                let (seconds, failed) = place::plain_crowd(count, || place.wrapped_program())?;
                note("bubblewrap", seconds, failed);
            }
        }
    }
    let title = format!("{count} at once");
    let mut table = Table::new(title.clone(), ["what", "wall time of as many plain spawns at once", "failures"]);
    let wall = |all: &[f64]| median(all.to_vec()).unwrap_or(f64::NAN);
    let plain = rows.first().map_or(f64::NAN, |(_, all, _)| wall(all));
    for (name, all, failed) in &rows {
        table.row([name.clone(), format!("{:.2}", wall(all) / plain), failed.to_string()]);
        if *failed > 0 {
            evidence.missed.push(format!("{title}: {failed} failures of {name}"));
        }
    }
    evidence.tables.push(table);
    Ok(())
}
