//! One agent in one lane, with one end.

use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use hedgerow_orchestrator::sandbox::{DockerSandbox, Doubt};

use super::child::{self, ABSENT, Ending, OVER, READY, Way};
use super::sight::{self, Mark};
use crate::{Failure, clone, leftovers};

/// How long what nobody waits for may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The lane has not what the agent needs.
    Absent,
    Over {
        took: Duration,
        left: usize,
        /// What was left.
        what: String,
    },
}

pub(super) fn one(way: Way, ending: Ending, agent: usize, nth: usize) -> Result<Outcome, Failure> {
    let place = clone::temporary()?;
    let tree = place.path();
    // The agent is another user in some lanes.
    std::fs::set_permissions(tree, std::fs::Permissions::from_mode(0o777))?;
    let mark = Mark::new(nth)?;
    let mut command = tied(way);
    command.arg(std::env::current_exe()?).arg("sandbox-child");
    command.args([word(&way)?, word(&ending)?, agent.to_string()]).arg(tree).arg(mark.number().to_string());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("a pipe is missing")?).lines();
    let outcome = follow(way, ending, mark, tree, &mut child, &mut lines);
    // It may be dead already, which some rounds are about.
    let _dead = child.kill();
    let said = child.stderr.take();
    child.wait()?;
    if way == Way::Docker {
        let stuck = reap(tree)?;
        if !stuck.is_empty() {
            return Err(format!("containers that could not be removed: {stuck}").into());
        }
    }
    clear_up(mark, tree)?;
    outcome.map_err(|error| {
        let mut text = String::new();
        // All that could hold it open is dead.
        let _unreadable = said.map(|mut pipe| std::io::Read::read_to_string(&mut pipe, &mut text));
        format!("{error} {}", text.trim()).into()
    })
}

/// What starts the embedding program so that it dies with this one. What runs without a lane gets a process namespace that
/// dies with it: nothing else ends for certain what forks quicker than it is killed.
fn tied(way: Way) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if way == Way::Plain {
        command.args(["unshare", "--pid", "--fork", "--kill-child=KILL"]);
        if std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() != 0) {
            command.arg("--map-current-user");
        }
    }
    command
}

/// Leaves nothing, whatever came of the round.
fn clear_up(mark: Mark, tree: &Path) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        let rest = sight::left(mark, tree, &[]);
        if rest.is_empty() {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("cannot be killed: {}", sight::describe(&rest)).into());
        }
        sight::clear(&rest);
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn follow(
    way: Way,
    ending: Ending,
    mark: Mark,
    tree: &Path,
    child: &mut Child,
    lines: &mut Lines<BufReader<ChildStdout>>,
) -> Result<Outcome, Failure> {
    let mut line = lines.next().ok_or("the embedding program said nothing:")??;
    if line == ABSENT {
        return Ok(Outcome::Absent);
    }
    if line == READY && ending == Ending::Kill {
        let began = Instant::now();
        child.kill()?;
        child.wait()?;
        if way == Way::Docker {
            // Containers outlive their owner, to be adopted; who does not want that reaps them.
            let stuck = reap(tree)?;
            if !stuck.is_empty() {
                return Ok(Outcome::Over { took: began.elapsed(), left: 1, what: stuck });
            }
        }
        return Ok(until_gone(way, mark, tree, &[], began));
    }
    if line == READY {
        line = lines.next().ok_or("the embedding program said nothing of the end:")??;
    }
    let Some(took) = line.strip_prefix(OVER) else { return Err(line.into()) };
    let took = Duration::from_millis(took.parse()?);
    let mut embedding = vec![child.id()];
    if way == Way::Plain {
        // It was started by the one that made its namespace.
        embedding.extend(sight::children(child.id()));
    }
    if ending == Ending::Drop {
        return Ok(until_gone(way, mark, tree, &embedding, Instant::now()));
    }
    Ok(look(way, mark, tree, &embedding, took))
}

/// Whether anything is left now.
fn look(way: Way, mark: Mark, tree: &Path, embedding: &[u32], took: Duration) -> Outcome {
    let left = sight::left(mark, tree, embedding);
    let containers = if way == Way::Docker { leftovers::containers(tree).unwrap_or_default() } else { Vec::new() };
    let what = format!("{} {}", sight::describe(&left), containers.join(" "));
    Outcome::Over { took, left: left.len() + containers.len(), what }
}

/// The time until nothing is left, or what is left when that takes too long.
fn until_gone(way: Way, mark: Mark, tree: &Path, embedding: &[u32], began: Instant) -> Outcome {
    loop {
        let found = look(way, mark, tree, embedding, began.elapsed());
        if matches!(found, Outcome::Over { left: 0, .. }) || began.elapsed() > PATIENCE {
            return found;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Removes the containers of a dead owner; says what could not be removed.
fn reap(tree: &Path) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reaped = runtime.block_on(async {
        let lane = DockerSandbox::connect(child::docker(tree)).await?;
        lane.reap(Doubt::Leave).await
    })?;
    let stuck: Vec<_> = reaped.left.iter().map(|left| format!("{}: {}", left.container, left.why)).collect();
    Ok(stuck.join("; "))
}

fn word(value: &impl clap::ValueEnum) -> Result<String, Failure> {
    Ok(value.to_possible_value().ok_or("every value has a name")?.get_name().to_owned())
}
