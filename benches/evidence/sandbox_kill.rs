//! `evidence sandbox-kill`: what is left of agents that do not want to end, in each lane and after each kind of end.

mod agents;
mod child;
mod round;
mod sight;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub(crate) use self::child::{Args as ChildArgs, run as child};

use self::child::{Ending, Way};
use self::round::Outcome;
use crate::lane::Lanes;
use crate::table::{Evidence, Table};
use crate::worktree_bench::median;
use crate::{Failure, progress};

/// The arguments of `evidence sandbox-kill`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The lanes to try, besides the host lane.
    #[arg(long, value_enum, default_value_t = Lanes::Both)]
    lane: Lanes,
    /// How often each is tried.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// How many are tried at once.
    #[arg(long, default_value_t = 4)]
    parallel: usize,
    /// Only agents whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

type Job = (usize, Way, Ending);
/// All outcomes, by agent and way.
type Outcomes = BTreeMap<(usize, Way), Vec<(Ending, Result<Outcome, Failure>)>>;

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let lanes: &[Way] = match args.lane {
        Lanes::Native => &[Way::Native],
        Lanes::Docker => &[Way::Docker],
        Lanes::Both => &[Way::Native, Way::Docker],
    };
    let ways: Vec<Way> = [Way::Host].into_iter().chain(lanes.iter().copied()).collect();
    let chosen: Vec<_> = (0..agents::ALL.len()).filter(|n| agents::ALL[*n].name.contains(&args.only)).collect();
    let mut jobs = Vec::new();
    for agent in &chosen {
        jobs.push((*agent, Way::Plain, Ending::Stop));
        for way in ways.iter().flat_map(|way| std::iter::repeat_n(*way, args.rounds)) {
            jobs.extend(Ending::ALL.map(|ending| (*agent, way, ending)));
        }
    }
    let mut evidence = judge(&chosen, &ways, &all(&jobs, args.parallel));
    evidence.command = format!("evidence sandbox-kill --lane {} --rounds {}", args.lane.name(), args.rounds);
    Ok(evidence)
}

fn all(jobs: &[Job], parallel: usize) -> Outcomes {
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Outcomes::new()));
    let work = || {
        while let Some((nth, &(agent, way, ending))) = take(&next, jobs) {
            if nth % 20 == 0 {
                progress(&format!("{} of {}: {}", nth + 1, jobs.len(), agents::ALL[agent].name));
            }
            let outcome = round::one(way, ending, agent, nth);
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.entry((agent, way)).or_default().push((ending, outcome));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..parallel.max(1) {
            scope.spawn(work);
        }
    });
    outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn take<'a>(next: &AtomicUsize, jobs: &'a [Job]) -> Option<(usize, &'a Job)> {
    let nth = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(nth).map(|job| (nth, job))
}

fn judge(chosen: &[usize], ways: &[Way], outcomes: &Outcomes) -> Evidence {
    let mut evidence = Evidence::default();
    let names = ways.iter().flat_map(|way| [format!("{way:?} lane").to_lowercase(), "ms".to_owned()]);
    let columns = ["agent", "a kill without a lane"].map(str::to_owned).into_iter().chain(names);
    let mut table = Table::new("Processes that are left, over all ends, and the median time", columns);
    let mut times: BTreeMap<(Way, Ending), Vec<f64>> = BTreeMap::new();
    for agent in chosen {
        let name = agents::ALL[*agent].name;
        let mut row = vec![name.to_owned()];
        for way in [Way::Plain].iter().chain(ways) {
            let (mut left, mut took) = (0, Vec::new());
            for (ending, outcome) in outcomes.get(&(*agent, *way)).into_iter().flatten() {
                let at = || format!("{name}, {way:?} lane, {ending:?}");
                match outcome {
                    Ok(Outcome::Absent) => {}
                    Ok(Outcome::Over { took: time, left: some, what }) => {
                        left += some;
                        took.push(milliseconds(*time));
                        times.entry((*way, *ending)).or_default().push(milliseconds(*time));
                        if *some > 0 && *way != Way::Plain {
                            evidence.missed.push(format!("{}: {some} left after {time:?}: {what}", at()));
                        }
                    }
                    Err(error) => evidence.missed.push(format!("{}: {error}", at())),
                }
            }
            let there = !took.is_empty();
            if *way == Way::Plain && there && left == 0 {
                evidence.missed.push(format!("{name}: it proves nothing, because a kill without a lane leaves none"));
            }
            row.push(if there { left.to_string() } else { "not there".to_owned() });
            if *way != Way::Plain {
                row.push(median(took).map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}")));
            }
        }
        table.row(row);
    }
    evidence.tables.extend([table, by_end(ways, &times)]);
    evidence
}

fn by_end(ways: &[Way], times: &BTreeMap<(Way, Ending), Vec<f64>>) -> Table {
    let names = ways.iter().map(|way| format!("{way:?} lane").to_lowercase());
    let columns = std::iter::once("end".to_owned()).chain(names);
    let mut table = Table::new("Median milliseconds until nothing was left, over all agents", columns);
    for ending in Ending::ALL {
        let time = |way: &Way| median(times.get(&(*way, ending)).cloned().unwrap_or_default());
        let cells = ways.iter().map(|way| time(way).map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}")));
        table.row(std::iter::once(format!("{ending:?}").to_lowercase()).chain(cells));
    }
    table
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
