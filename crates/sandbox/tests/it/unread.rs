//! A reader that does not read holds up nothing: not the end of the command, and not the one who stops it.

use std::future::Future;
use std::time::Duration;

use hedgerow_sandbox::{End, Stopped};

use crate::world::{PATIENCE, alive, eventually, lanes, nap, open, run, sh, start, watch};

/// Far more than waits in any buffer, said by a program that only SIGKILL ends.
const FLOOD: &str = "trap '' TERM; exec yes";

/// What must not hang.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(2 * PATIENCE, future).await.unwrap_or_else(|_| panic!("it hangs: {what}"))
}

/// Waits until the program has begun, which takes a while where much else runs, and then until it is gone.
async fn gone(nap: String) {
    let gone = tokio::task::spawn_blocking(move || {
        eventually("it begins", || !alive(&nap).is_empty());
        // A process that is just becoming another program has no command line for a moment.
        let mut absent = 0;
        eventually("all is gone", || {
            absent = if alive(&nap).is_empty() { absent + 1 } else { 0 };
            absent == 10
        });
    });
    gone.await.unwrap();
}

#[tokio::test]
async fn stop_returns_while_the_caller_still_holds_a_process_that_nobody_reads() {
    for lane in lanes() {
        let nap = nap();
        let mut running = start(&*lane, open()).await;
        let process = running.exec(sh(format!("{FLOOD} {nap}"))).await.unwrap();
        // Before, the shell would still die of SIGTERM.
        let mark = format!(": yes {nap}");
        let floods = move || eventually("it floods", || alive(&mark[2..]).iter().any(|line| line.contains(&mark)));
        tokio::task::spawn_blocking(floods).await.unwrap();
        let stopped = soon("stop", running.stop(Duration::from_millis(500))).await.unwrap();
        assert_eq!((stopped, alive(&nap)), (Stopped::Killed, Vec::new()), "{lane:?}");
        let seen = soon("reading late", watch(process)).await;
        assert_eq!(seen.exit.end, End::Stopped, "{lane:?}");
        assert!(seen.out().starts_with(&nap), "{lane:?}");
    }
}

#[tokio::test]
async fn a_deadline_ends_a_command_that_nobody_reads() {
    for lane in lanes() {
        let nap = nap();
        let mut running = start(&*lane, open()).await;
        let command = sh(format!("{FLOOD} {nap}")).deadline(Duration::from_secs(3));
        let process = running.exec(command).await.unwrap();
        gone(nap).await;
        assert!(soon("stop", running.stop(Duration::ZERO)).await.is_ok(), "{lane:?}");
        assert_eq!(soon("reading late", watch(process)).await.exit.end, End::Deadline, "{lane:?}");
    }
}

#[tokio::test]
async fn silence_ends_a_command_that_nobody_reads() {
    for lane in lanes() {
        let nap = nap();
        let mut running = start(&*lane, open()).await;
        let mut command = sh(format!("head -c 20000000 /dev/zero; exec sleep {nap}"));
        command.idle = Some(Duration::from_secs(2));
        let process = running.exec(command).await.unwrap();
        gone(nap).await;
        let exit = soon("its end", process.wait()).await.unwrap();
        assert_eq!((exit.end, exit.written), (End::Idle, 20_000_000), "{lane:?}");
    }
}

#[tokio::test]
async fn what_was_said_before_the_end_is_read_whole_after_it() {
    for lane in lanes() {
        let nap = nap();
        let mut running = start(&*lane, open()).await;
        let process = running.exec(sh(format!("seq 1000000; sleep 2; : {nap}"))).await.unwrap();
        gone(nap).await;
        assert!(soon("stop", running.stop(Duration::ZERO)).await.is_ok(), "{lane:?}");
        let seen = soon("reading late", watch(process)).await;
        let expected: String = (1..=1_000_000).map(|n| format!("{n}\n")).collect();
        assert!(seen.stdout == expected.as_bytes(), "{lane:?}: {} bytes", seen.stdout.len());
    }
}

#[tokio::test]
async fn no_time_limit_is_a_time_limit_too() {
    for lane in lanes() {
        let mut command = sh("echo said").deadline(Duration::MAX);
        (command.idle, command.grace) = (Some(Duration::MAX), Duration::MAX);
        assert_eq!(run(&*lane, open(), command.clone()).await.ok().out(), "said", "{lane:?}");
        // Ended by hand: the grace counts from then.
        command.args = vec!["-c".into(), "exec sleep 1000".into()];
        let mut running = start(&*lane, open()).await;
        let process = running.exec(command.clone()).await.unwrap();
        process.stopper().stop();
        assert_eq!(soon("its end", process.wait()).await.unwrap().end, End::Stopped, "{lane:?}");
        let process = running.exec(command).await.unwrap();
        assert_eq!(soon("stop", running.stop(Duration::MAX)).await.unwrap(), Stopped::Killed, "{lane:?}");
        assert_eq!(soon("its end", process.wait()).await.unwrap().end, End::Stopped, "{lane:?}");
    }
}
