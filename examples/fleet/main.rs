//! `fleet`: many coding agents on one git repository, from the command line.
//!
//! A thin binary: it parses flags, wires hedgerow's defaults together, and shows what happens. All that it does can be
//! done by any program with `hedgerow-orchestrator`.

mod demo;
mod lane;
mod progress;
mod recover;
mod run;
mod status;
mod table;
mod verify;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Runs many coding agents on one git repository: each isolated, each gated, landed on one branch.
#[derive(Debug, Parser)]
#[command(
    name = "fleet",
    version,
    after_help = "Exit status: 0 all landed; 1 something did not; 2 could not run; 130 stopped."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a plan to its end, or goes on with it after an interruption.
    Run(run::Run),
    /// Shows the runs of a repository, the newest last.
    Status(status::Status),
    /// Brings what an interrupted fleet had begun to its end, without starting anything new.
    Recover(recover::Recover),
    /// Proves again what landed on a branch, from the certificates of its landings.
    Verify(verify::Verify),
    /// Shows on a copy of a real repository what happens when eight agents work at once.
    Demo(demo::Demo),
}

/// The repository to work on.
#[derive(Debug, Args)]
struct Repo {
    /// The main checkout, or the git directory, of the repository.
    #[arg(long, value_name = "PATH", default_value = ".")]
    repo: PathBuf,
}

/// Why the program ends, for its exit status.
enum End {
    Landed,
    Trouble,
    Stopped,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Tells people something that is not the result. Nobody may be listening any more, which changes nothing.
fn tell(text: &str) {
    let _nobody = writeln!(std::io::stderr(), "{text}");
}

/// Prints a part of the result.
fn show(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| format!("standard output: {e}").into())
}

#[tokio::main]
async fn main() -> ExitCode {
    let end = match Cli::parse().command {
        Command::Run(run) => run.run().await,
        Command::Status(status) => status.run().await,
        Command::Recover(recover) => recover.run().await,
        Command::Verify(verify) => verify.run().await,
        Command::Demo(demo) => demo.run().await,
    };
    match end {
        Ok(End::Landed) => ExitCode::SUCCESS,
        Ok(End::Trouble) => ExitCode::from(1),
        Ok(End::Stopped) => ExitCode::from(130),
        Err(error) => {
            let mut text = format!("fleet: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            tell(&text);
            ExitCode::from(2)
        }
    }
}
