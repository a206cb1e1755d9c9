//! `evidence sandbox-flood`: a program that writes far more than anybody keeps, in each lane.

mod reader;
mod stream;

use std::process::{Command, Stdio};
use std::time::Instant;

use clap::ValueEnum;
use serde_json::Value;

pub(crate) use self::reader::{Args as ReaderArgs, run as reader};

use self::reader::{Pace, Where};
use self::stream::Kind;
use crate::lane::Lanes;
use crate::table::{Evidence, Table};
use crate::{Failure, progress};

/// The most memory that an embedding program may need for it, in MiB above what it has before.
const MOST: f64 = 64.0;

/// The arguments of `evidence sandbox-flood`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The lanes to try, besides the host lane.
    #[arg(long, value_enum, default_value_t = Lanes::Both)]
    lane: Lanes,
    /// How much text is written; of one endless line and of binary a tenth.
    #[arg(long, default_value_t = 10_000_000_000)]
    bytes: u64,
    /// How many short lines are written.
    #[arg(long, default_value_t = 10_000_000)]
    lines: u64,
}

pub(crate) fn run(args: &Args) -> Result<Evidence, Failure> {
    let lanes: &[Where] = match args.lane {
        Lanes::Native => &[Where::Host, Where::Native],
        Lanes::Docker => &[Where::Host, Where::Docker],
        Lanes::Both => &[Where::Host, Where::Native, Where::Docker],
    };
    let mut evidence = Evidence {
        command: format!(
            "evidence sandbox-flood --lane {} --bytes {} --lines {}",
            args.lane.name(),
            args.bytes,
            args.lines
        ),
        ..Evidence::default()
    };
    let mut table = Table::new(
        "Much output",
        ["output", "MB", "reader", "lane", "peak MiB above idle", "kept MB", "wrong or miscounted", "of `cat`'s pace"],
    );
    for kind in Kind::ALL {
        let bytes = match kind {
            Kind::Text => args.bytes,
            Kind::Lines => args.lines * 11,
            Kind::Line | Kind::Binary => args.bytes / 10,
        };
        let paces: &[Pace] = if kind == Kind::Text { &[Pace::Quick, Pace::Slow, Pace::Not] } else { &[Pace::Quick] };
        for pace in paces {
            for lane in lanes {
                progress(&format!("{}, {pace:?}, {lane:?}", kind.title()));
                let cat = to_cat(kind, bytes)?;
                let said = one(*lane, kind, *pace, bytes)?;
                row(&mut table, &mut evidence, (kind, *pace, *lane), &said, cat);
            }
        }
    }
    evidence.tables.push(table);
    Ok(evidence)
}

fn row(table: &mut Table, evidence: &mut Evidence, what: (Kind, Pace, Where), said: &Value, cat: f64) {
    let (kind, pace, lane) = what;
    let number = |key: &str| said[key].as_f64().unwrap_or(f64::NAN);
    let at = format!("{}, {pace:?}, {lane:?} lane", kind.title());
    let above = number("above") / 1024.0;
    if above.is_nan() || above > MOST {
        evidence.missed.push(format!("{at}: {above:.0} MiB above idle instead of at most {MOST}"));
    }
    let exact = said["exact"] == true && said["ended"] == true;
    if !exact {
        evidence.missed.push(format!("{at}: {said}"));
    }
    let reader = match pace {
        Pace::Quick => "quick",
        Pace::Slow => "slow",
        Pace::Not => "none",
    };
    table.row([
        kind.title().to_owned(),
        format!("{:.0}", number("written") / 1e6),
        reader.to_owned(),
        format!("{lane:?}").to_lowercase(),
        format!("{above:.1}"),
        format!("{:.1}", number("kept") / 1e6),
        if exact { "0".to_owned() } else { "YES".to_owned() },
        format!("{:.2}", cat / number("seconds")),
    ]);
}

/// What the embedding program, a process of its own, says of one writer.
fn one(lane: Where, kind: Kind, pace: Pace, bytes: u64) -> Result<Value, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["sandbox-reader", &word(&lane)?, &word(&kind)?, &word(&pace)?, &bytes.to_string()]);
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("{lane:?} lane: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The seconds that the same writer takes when `cat` throws it all away.
fn to_cat(kind: Kind, bytes: u64) -> Result<f64, Failure> {
    let mut command = Command::new("sh");
    command.args(["-c", "\"$@\" | cat >/dev/null", "sh"]).args(kind.command(bytes)).stdin(Stdio::null());
    let began = Instant::now();
    let status = command.status()?;
    if status.success() { Ok(began.elapsed().as_secs_f64()) } else { Err("the writer cannot write to `cat`".into()) }
}

fn word(value: &impl ValueEnum) -> Result<String, Failure> {
    Ok(value.to_possible_value().ok_or("every value has a name")?.get_name().to_owned())
}
