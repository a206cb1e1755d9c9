//! A process of its own that does one step of a landing, so that it can be killed.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;
use hedgerow_merge::{ArchivedChange, Archiving, Candidate, Checkout, Landing, LandingCertificate, Repository};
use serde::{Deserialize, Serialize};

use super::full;
use super::scene::{Doing, prepare, who};
use crate::{Failure, git};

/// The arguments of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct ChildArgs {
    /// Does it on disks that are full, and prints what came of that.
    #[arg(long)]
    full: bool,
    #[arg(value_enum)]
    doing: Doing,
    repository: PathBuf,
    /// The file with what was prepared, or for a queue, what the names of its branches begin with.
    prepared: OsString,
}

/// What a step needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Data {
    pub(super) candidate: Candidate,
    pub(super) certificate: LandingCertificate,
    pub(super) archived: ArchivedChange,
}

/// A process that does it and then says so.
pub(super) fn command(doing: Doing, repository: &Path, prepared: &OsStr) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let verb = doing.to_possible_value().ok_or("every verb has a name")?;
    command.arg("landing-faults-child").arg(verb.get_name()).arg(repository).arg(prepared);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

pub(crate) fn run(args: &ChildArgs) -> Result<(), Failure> {
    if args.full {
        println!("{}", serde_json::to_string(&full::inside(args.doing)?)?);
        return Ok(());
    }
    if args.doing == Doing::Queue {
        return queue(&args.repository, &args.prepared.to_string_lossy());
    }
    let data: Data = serde_json::from_slice(&std::fs::read(&args.prepared)?)?;
    step(args.doing, &Repository::open(&args.repository)?, &data)?;
    println!("end");
    Ok(())
}

/// Does it. Not having landed is an error here.
pub(super) fn step(doing: Doing, repository: &Repository, data: &Data) -> Result<(), Failure> {
    if let Some(checkout) = doing.checkout() {
        return match repository.land(&data.candidate, checkout)? {
            Landing::Landed => Ok(()),
            other => Err(format!("{other:?}").into()),
        };
    }
    match doing {
        Doing::Archive => match repository.archive(&data.archived, &who())? {
            Archiving::Kept => Ok(()),
            Archiving::Taken { by } => Err(format!("the place is taken by {by:?}").into()),
        },
        _ => Ok(repository.record(&data.certificate)?),
    }
}

/// Lands all branches whose names begin so, each as often as it takes; says how often the target had moved.
fn queue(path: &Path, begin: &str) -> Result<(), Failure> {
    let repository = Repository::open(path)?;
    let (mut moved, mut landed) = (0, 0);
    let list = format!("refs/heads/{begin}*");
    for branch in git::lines(path, &["for-each-ref", "--format=%(refname:short)", &list])? {
        loop {
            let candidate = prepare(&repository, &branch)?;
            repository.record(&repository.certify(&candidate)?)?;
            match repository.land(&candidate, Checkout::Refuse)? {
                Landing::Landed => break,
                Landing::TargetMoved { .. } => moved += 1,
                other => return Err(format!("{branch}: {other:?}").into()),
            }
        }
        landed += 1;
    }
    println!("moved {moved}\nlanded {landed}");
    Ok(())
}
