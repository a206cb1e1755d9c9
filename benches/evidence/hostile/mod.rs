//! `evidence hostile`: what a hostile agent tries in each lane, and what came of it.

mod arena;
mod attempts;
mod control;
mod gauge;
mod listeners;
mod probe;
mod probes;

use std::collections::BTreeMap;
use std::sync::Arc;

use hedgerow_orchestrator::sandbox::Sandbox;

use crate::lane::{Lane, Lanes};
use crate::table::{Evidence, Table};
use crate::{Failure, progress};

use attempts::Aftermath;
use probe::{Control, Probe, Verdict};

/// What the host lane promises: it isolates nothing, but everything that was started ends, and output is capped.
const PROMISED_ON_HOST: [&str; 2] = ["daemon", "flood"];

/// The arguments of `evidence hostile`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The isolated lanes to try.
    #[arg(long, value_enum, default_value_t = Lanes::Both)]
    lane: Lanes,
}

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut lanes = Vec::new();
        for lane in args.lane.each() {
            lanes.push((lane, lane.open().await?));
        }
        let mut evidence = table(lanes).await?;
        evidence.command = format!("evidence hostile --lane {}", args.lane.name());
        Ok(evidence)
    })
}

/// Tries everything without a sandbox, what is promised there in the host lane, and everything in the isolated lanes.
async fn table(lanes: Vec<(Lane, Arc<dyn Sandbox>)>) -> Result<Evidence, Failure> {
    let probes = probes::all();
    progress("without a sandbox");
    let controls = tokio::task::spawn_blocking(controls).await??;
    progress("host lane");
    let promised: Vec<_> = probes.iter().copied().filter(|probe| PROMISED_ON_HOST.contains(&probe.id)).collect();
    let host = attempts::run(Lane::Host, Lane::Host.open().await?, &promised).await?;
    let mut tried = vec![(Lane::Host, host)];
    for (lane, sandbox) in lanes {
        progress(&format!("{} lane", lane.name()));
        tried.push((lane, attempts::run(lane, sandbox, &probes).await?));
    }
    Ok(judge(&probes, &controls, &tried))
}

fn controls() -> Result<BTreeMap<&'static str, Verdict>, Failure> {
    let arena = arena::Arena::new()?;
    let mut verdicts = BTreeMap::new();
    for probe in probes::all() {
        if let Some(verdict) = control::run(&arena, &probe)? {
            verdicts.insert(probe.id, verdict);
        }
    }
    Ok(verdicts)
}

fn judge(probes: &[Probe], controls: &BTreeMap<&'static str, Verdict>, tried: &[(Lane, Aftermath)]) -> Evidence {
    let lanes = tried.iter().map(|(lane, _)| format!("{} lane", lane.name()));
    let columns = ["probe", "what it tries", "without a sandbox"].map(str::to_owned).into_iter().chain(lanes);
    let mut table = Table::new("What a hostile agent tries", columns.chain(["must be".to_owned()]));
    let mut missed = Vec::new();
    for probe in probes {
        let control = controls.get(probe.id);
        if !control::met(probe, control) {
            let what = control.map_or_else(|| "not tried".to_owned(), Verdict::words);
            missed.push(format!("{}: it proves nothing, because without a sandbox it is {what}", probe.id));
        }
        let mut row = vec![probe.id.to_owned(), probe.tries.to_owned(), control_words(probe, control)];
        for (lane, after) in tried {
            let Some(verdict) = after.verdicts.get(probe.id) else {
                row.push("-".to_owned());
                continue;
            };
            if !probe.expect.met(verdict) {
                missed.push(format!("{} lane, {}: {}", lane.name(), probe.id, verdict.words()));
            }
            row.push(verdict.words());
        }
        row.push(probe.expect.word().to_owned());
        table.row(row);
    }
    let mut left = Table::new("What is left when all of them are over", ["lane", "left over"]);
    for (lane, after) in tried {
        missed.extend(after.left.iter().map(|line| format!("{} lane, left over: {line}", lane.name())));
        left.row([lane.name(), &after.left.len().to_string()]);
    }
    Evidence { tables: vec![table, left], missed, ..Evidence::default() }
}

fn control_words(probe: &Probe, verdict: Option<&Verdict>) -> String {
    match (probe.control, verdict) {
        (Control::Withheld(why), _) => format!("withheld: {why}"),
        (_, Some(Verdict::Reached)) => "gets through".to_owned(),
        (_, Some(other)) => other.words(),
        (_, None) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lane; none with a loud word where the machine lacks it, unless `HEDGEROW_REQUIRE` names it.
    async fn available(lane: Lane) -> Option<(Lane, Arc<dyn Sandbox>)> {
        match lane.open().await {
            Ok(sandbox) => Some((lane, sandbox)),
            Err(error) => {
                let required = std::env::var("HEDGEROW_REQUIRE").unwrap_or_default();
                let required = required.split(',').any(|name| name.trim() == lane.name());
                assert!(!required, "HEDGEROW_REQUIRE names the {} lane, but: {error}", lane.name());
                eprintln!("SKIPPED: the hostile agent in the {} lane: {error}", lane.name());
                None
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hostile_agent_gets_through_nowhere() {
        let mut lanes = Vec::new();
        for lane in [Lane::Native, Lane::Docker] {
            lanes.extend(available(lane).await);
        }
        let evidence = table(lanes).await.expect("a table");
        println!("{}", evidence.to_text());
        assert_eq!(evidence.missed, Vec::<String>::new());
    }
}
