//! What the merges cost, beside git's.

use std::time::Duration;

use super::tally::Tally;
use crate::quantile::{at, sorted};
use crate::table::Table;

/// Processor time per merge, as ratios to git's of the same run.
pub(crate) fn table(tallies: &[Tally]) -> Table {
    let mut table = Table::new(
        "Processor time of a merge, git's co-process = 1",
        [
            "repository",
            "median",
            "p90",
            "p99",
            "worst",
            "sum",
            "git's median ms",
            "git's worst ms",
            "our worst ms",
            "our worst",
        ],
    );
    for tally in tallies {
        let side = |side: usize| sorted(tally.costs.iter().map(|cost| cost[side]));
        let (ours, git) = (side(0), side(1));
        let ratio = |share: f64| format!("{:.2}", at(&ours, share).as_secs_f64() / at(&git, share).as_secs_f64());
        let sum = |costs: &[Duration]| costs.iter().sum::<Duration>().as_secs_f64();
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
        table.row([
            tally.name.clone(),
            ratio(0.5),
            ratio(0.9),
            ratio(0.99),
            ratio(1.0),
            format!("{:.2}", sum(&ours) / sum(&git)),
            ms(at(&git, 0.5)),
            ms(at(&git, 1.0)),
            ms(at(&ours, 1.0)),
            tally.worst.1.clone(),
        ]);
    }
    table
}
