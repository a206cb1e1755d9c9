//! `evidence sandbox-escape`: what hostile programs reach in each lane, as root and as an ordinary user, and elsewhere.

mod column;
mod peer;
mod user;

use std::collections::BTreeMap;
use std::path::PathBuf;

use hedgerow_sandbox::escape::{Controls, Report, Seen, Suite, Verdict};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::table::{Evidence, Table};

use column::Column;
use user::User;

/// The arguments of `evidence sandbox-escape`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the sentinels lie; not in /tmp, which some sandboxes hide by themselves.
    #[arg(long, default_value = "/var/tmp")]
    place: PathBuf,
    /// Tries everything as this user alone.
    #[arg(long = "as", value_enum, value_name = "USER")]
    user: Option<User>,
}

/// The arguments of the process that tries everything as one user.
#[derive(Debug, clap::Args)]
pub(crate) struct ChildArgs {
    #[arg(long)]
    place: PathBuf,
    #[arg(long = "as", value_enum)]
    user: User,
}

/// What one user found.
#[derive(Debug, Deserialize, Serialize)]
struct Found {
    attacks: Controls,
    tools: Controls,
    /// By column: what came of the attacks and of the tools, or why the lane is not there.
    reports: BTreeMap<String, Result<(Report, Report), String>>,
}

/// One lane of one user.
type Lane = (String, Column, Result<(Report, Report), String>);

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let (mut users, mut missed) = (Vec::new(), Vec::new());
    for user in User::all().into_iter().filter(|user| args.user.is_none_or(|only| only == *user)) {
        crate::progress(&format!("as {}", user.name()));
        match user.run(&args.place) {
            Ok(found) => users.push((user, found)),
            Err(why) => missed.push(format!("nothing was tried as {}: {why}", user.name())),
        }
    }
    let mut evidence = judge(users);
    evidence.missed.extend(missed);
    evidence.command = "evidence sandbox-escape".to_owned();
    if let Some(user) = args.user {
        evidence.command += &format!(" --as {}", user.word());
    }
    Ok(evidence)
}

/// Tries everything as the user that this process is, and prints what came of it.
pub(crate) fn child(args: &ChildArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{}", serde_json::to_string(&runtime.block_on(find(args))?)?);
    Ok(())
}

async fn find(args: &ChildArgs) -> Result<Found, Failure> {
    let (attacks, tools) = (Suite::escape(&args.place), Suite::compatibility(&args.place));
    crate::progress("without a sandbox");
    let mut found =
        Found { attacks: attacks.control().await?, tools: tools.control().await?, reports: BTreeMap::new() };
    for column in Column::ALL.into_iter().filter(|column| column.is_for(args.user)) {
        crate::progress(column.name());
        let reports = match column.open(args.user).await {
            Ok(lane) => {
                let hostile = attacks.run(&*lane, &found.attacks).await;
                let honest = tools.run(&*lane, &found.tools).await;
                hostile.and_then(|hostile| honest.map(|honest| (hostile, honest))).map_err(|e| e.to_string())
            }
            Err(why) => Err(why.to_string()),
        };
        found.reports.insert(column.name().to_owned(), reports);
    }
    Ok(found)
}

fn judge(users: Vec<(User, Found)>) -> Evidence {
    let mut evidence = Evidence::default();
    let mut lanes: Vec<Lane> = Vec::new();
    let mut scores = Table::new(
        "How many probes still get through, the lower the better",
        ["where", "as", "get through", "held", "prove nothing here", "not run", "unexpected", "tools that work"],
    );
    for (user, found) in users {
        let through = found.attacks.values().filter(|c| **c == hedgerow_sandbox::escape::Control::GetsThrough).count();
        let tools = found.tools.values().filter(|c| **c == hedgerow_sandbox::escape::Control::GetsThrough).count();
        let nothing = found.attacks.len() - through;
        let (through, tools, nothing) = (through.to_string(), tools.to_string(), nothing.to_string());
        scores.row(["no sandbox", user.name(), &through, "-", &nothing, "-", "-", &tools]);
        for column in Column::ALL {
            if let Some(reports) = found.reports.get(column.name()) {
                lanes.push((user.name().to_owned(), column, reports.clone()));
            }
        }
    }
    for (user, column, reports) in &lanes {
        let place = format!("{} as {user}", column.name());
        match reports {
            Ok((hostile, honest)) => {
                let count = |verdict| hostile.count(verdict).to_string();
                let unexpected =
                    if column.promises() { count(Verdict::Unexpected) } else { "nothing is promised".to_owned() };
                let works = honest.rows.iter().filter(|row| row.seen == Seen::Works).count().to_string();
                let [held, nothing, not_run] = [Verdict::Held, Verdict::ProvesNothing, Verdict::NotRun].map(count);
                let through = hostile.through().to_string();
                scores.row([column.name(), user, &through, &held, &nothing, &not_run, &unexpected, &works]);
                if column.promises() {
                    let rows = hostile.unexpected().chain(honest.unexpected());
                    let line = |row: &hedgerow_sandbox::escape::Row| format!("{place}, {}: {}", row.id, row.seen);
                    evidence.missed.extend(rows.map(line));
                }
            }
            Err(why) if column.promises() => evidence.missed.push(format!("{place}: {why}")),
            Err(why) => scores.row([column.name(), user, "-", "-", "-", "-", why, "-"]),
        }
    }
    evidence.tables = vec![
        scores,
        details("What hostile programs try", &lanes, |(hostile, _)| hostile),
        details("What must work", &lanes, |(_, honest)| honest),
    ];
    evidence
}

/// One row for each probe, one column for each lane.
fn details(title: &str, lanes: &[Lane], part: impl Fn(&(Report, Report)) -> &Report) -> Table {
    let reports: Vec<_> =
        lanes.iter().filter_map(|(user, column, reports)| Some((user, column, part(reports.as_ref().ok()?)))).collect();
    let columns = ["probe", "what it tries", "attacks", "must be"].map(str::to_owned).into_iter();
    let users: Vec<_> = User::EACH.map(User::name).into_iter().filter(|u| lanes.iter().any(|(l, ..)| l == u)).collect();
    let controls = users.iter().map(|user| format!("no sandbox, {user}"));
    let names = reports.iter().map(|(user, column, _)| format!("{}, {user}", column.name()));
    let mut table = Table::new(title, columns.chain(controls).chain(names));
    let Some((_, _, first)) = reports.first() else { return table };
    for row in &first.rows {
        let of = |report: &Report| report.rows.iter().find(|other| other.id == row.id).cloned();
        let control = |name: &str| {
            let report = reports.iter().find(|(user, ..)| user.as_str() == name);
            report.and_then(|(.., report)| of(report)).map_or_else(|| "-".to_owned(), |row| row.control.to_string())
        };
        let mut cells = vec![row.id.clone(), row.tries.clone()];
        cells.push(row.attacks.map_or_else(|| "-".to_owned(), |guarantee| guarantee.to_string()));
        cells.push(row.expected.to_string());
        cells.extend(users.iter().map(|user| control(user)));
        cells.extend(reports.iter().map(|(.., report)| of(report).map_or_else(|| "-".into(), |r| r.seen.to_string())));
        table.row(cells);
    }
    table
}
