//! A process of its own that uses the library, so that it can be killed.
//!
//! The test binary starts itself: the one test here is ignored, and does what the environment tells it to.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hedgerow_worktree::{Disposition, LocalWorktrees, WorktreeManager};

use crate::pool;
use crate::repo::{id, request, write};

const ROLE: &str = "HEDGEROW_TEST_ROLE";

/// Starts a process in a role. Once it is under way it writes a line to its standard output.
pub(crate) fn start(role: &str, args: &[&str]) -> Child {
    start_in(role, args, &[])
}

/// As `start`, with more variables in the environment.
pub(crate) fn start_in(role: &str, args: &[&str], environment: &[(&str, &str)]) -> Child {
    let mut command = command(role, args);
    command.envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command.spawn().unwrap()
}

/// As `start`, with a umask that keeps what it makes to itself.
pub(crate) fn start_private(role: &str, args: &[&str]) -> Child {
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 077 && exec \"$0\" child::child --exact --ignored"])
        .arg(std::env::current_exe().unwrap());
    command.env(ROLE, [&[role], args].concat().join("\n")).stdin(Stdio::null());
    command.spawn().unwrap()
}

fn command(role: &str, args: &[&str]) -> Command {
    command_of(std::env::current_exe().unwrap(), &[&[role], args].concat())
}

/// The command that starts this program by the given path in a role, which comes first.
pub(crate) fn command_of(program: impl AsRef<std::ffi::OsStr>, role: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(["child::child", "--exact", "--ignored", "--nocapture"]);
    command.env(ROLE, role.join("\n"));
    command
}

/// Starts a process that prepares itself, says that it begins, and waits to be let go.
pub(crate) fn start_waiting(role: &str, args: &[&str]) -> Child {
    let mut command = command(role, args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    wait_until_it_begins(&mut child);
    child
}

/// Lets it go.
pub(crate) fn let_go(child: &mut Child) {
    use std::io::Write;
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
}

/// Waits until the child says that it begins.
pub(crate) fn wait_until_it_begins(child: &mut Child) {
    use std::io::{BufRead, Read};
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let begun = output.by_ref().lines().map_while(Result::ok).any(|line| line.ends_with("begin"));
    assert!(begun, "the child ended before it began");
    // It may have more to say, and fails if nobody could hear it.
    child.stdout = Some(output.into_inner());
}

#[test]
#[ignore = "other tests start it as a process of its own"]
fn child() {
    let role = std::env::var(ROLE).expect("this is started by other tests");
    let args: Vec<_> = role.lines().collect();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if args[0] == "act" {
        // The steps of an operation are counted by thread, so whatever it does one after the other has to be done by one.
        runtime.max_blocking_threads(1);
    }
    let runtime = runtime.build().unwrap();
    runtime.block_on(async {
        match args[..] {
            ["create-many", path, prefix, count] => {
                let manager = LocalWorktrees::open(path).unwrap();
                for n in 0..count.parse::<usize>().unwrap() {
                    drop(manager.create(request(&format!("{prefix}-{n}"))).await.unwrap());
                }
            }
            ["create", path, name] => {
                let manager = LocalWorktrees::open(path).unwrap();
                announce();
                let _worktree = manager.create(request(name)).await.unwrap();
                std::future::pending::<()>().await;
            }
            ["release", path, name] => {
                let manager = LocalWorktrees::open(path).unwrap();
                let worktree = manager.create(request(name)).await.unwrap();
                assert_eq!(worktree.id(), &id(name));
                write(&worktree.path().join("work"), &format!("the work of {name}\n"));
                announce();
                manager.release(worktree, Disposition::Archive).await.unwrap();
                std::future::pending::<()>().await;
            }
            ["hand-over", path, name, place] => {
                let manager = LocalWorktrees::open(path).unwrap();
                let worktree = manager.create(request(name)).await.unwrap();
                write(&worktree.path().join("work"), &format!("the work of {name}\n"));
                let handover = manager.hand_over(worktree, Duration::from_secs(600)).await.unwrap();
                std::fs::write(place, serde_json::to_vec(&handover).unwrap()).unwrap();
            }
            ["pool-claim-many", path, prefix, count] => {
                pool::contention::claim_many(path, prefix, count.parse().unwrap()).await;
            }
            ["unprivileged-pool", ..] => crate::another_user::pool().await,
            ["unprivileged-denied", ..] => crate::another_user::denied().await,
            ["unprivileged-hidden", ..] => crate::hidden::unreadable().await,
            ["unprivileged-safety", stranger] => crate::another_user::safety(stranger).await,
            ["pool-cycle", path, prefix] => pool::crash::cycle(path, prefix).await,
            ["act", path, operation] => {
                let begin = async || {
                    announce();
                    std::io::stdin().read_line(&mut String::new()).unwrap();
                };
                crate::kill::act(operation, path, begin).await;
            }
            ["load", path, prefix, count] => {
                let manager = LocalWorktrees::open(path).unwrap();
                crate::stress::load(&manager, prefix, 2, count.parse().unwrap()).await;
            }
            ["race", path, trees, name, on, gate] => crate::stress::race(path, trees, name, on, gate).await,
            ["adopt-and-release", path, name] => {
                let manager = LocalWorktrees::open(path).unwrap();
                let worktree = manager.adopt(&id(name)).await.unwrap();
                announce();
                manager.release(worktree, Disposition::Archive).await.unwrap();
                std::future::pending::<()>().await;
            }
            ["recover", path] => {
                let manager = LocalWorktrees::open(path).unwrap();
                announce();
                drop(manager.recover().await.unwrap());
                std::future::pending::<()>().await;
            }
            _ => panic!("no such role: {args:?}"),
        }
    });
}

fn announce() {
    say("begin");
}

/// Writes a line to the standard output, on a line of its own.
pub(crate) fn say(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}
