//! When a command is over, nothing of it is left, however it ended and whatever it started.

use std::io::{Read, Write};
use std::process::{Command as Direct, Stdio};
use std::time::Duration;

use hedgerow_sandbox::{End, Sandbox, Stopped};

use crate::world::{alive, eventually, lanes, nap, open, run, sh, start, until, watch};

/// Starts a daemon the classic way: a session of its own, and a parent that is gone.
fn daemon(nap: &str) -> String {
    format!("(setsid sh -c 'sleep {nap} & exit' >/dev/null 2>&1 </dev/null &) ; sleep 0.3")
}

#[tokio::test]
async fn a_daemon_in_its_own_session_is_gone_when_the_command_has_ended() {
    for lane in lanes() {
        let nap = nap();
        let seen = run(&*lane, open(), sh(format!("{}; echo started", daemon(&nap)))).await.ok();
        assert_eq!(seen.out(), "started");
        assert_eq!(alive(&nap), [""; 0], "{lane:?}");
    }
}

#[tokio::test]
async fn a_daemon_is_gone_after_stop() {
    for lane in lanes() {
        let nap = nap();
        let mut running = start(&*lane, open()).await;
        let mut process = running.exec(sh(format!("{}; echo started; sleep {nap}", daemon(&nap)))).await.unwrap();
        until(&mut process, "started").await;
        assert!(alive(&nap).len() >= 2, "{lane:?}");
        assert_eq!(running.stop(Duration::from_millis(100)).await.unwrap(), Stopped::Killed);
        assert_eq!(alive(&nap), [""; 0], "{lane:?}");
        assert_eq!(watch(process).await.exit.end, End::Stopped, "{lane:?}");
    }
}

#[tokio::test]
async fn dropping_a_process_kills_all_of_it() {
    for lane in lanes() {
        let nap = nap();
        let mut running = start(&*lane, open()).await;
        let mut process = running.exec(sh(format!("{}; echo started; sleep {nap}", daemon(&nap)))).await.unwrap();
        until(&mut process, "started").await;
        drop(process);
        let gone = tokio::task::spawn_blocking(move || eventually("all is gone", || alive(&nap).is_empty()));
        gone.await.unwrap();
    }
}

#[tokio::test]
async fn after_a_dropped_process_the_next_command_starts_when_nothing_of_it_is_left() {
    for lane in lanes() {
        let nap = nap();
        let mut running = start(&*lane, open()).await;
        let mut process = running.exec(sh(format!("{}; echo started; sleep {nap}", daemon(&nap)))).await.unwrap();
        until(&mut process, "started").await;
        drop(process);
        let next = running.exec(sh("echo next")).await.unwrap();
        assert_eq!(alive(&nap), [""; 0], "{lane:?}");
        assert_eq!(watch(next).await.ok().out(), "next", "{lane:?}");
    }
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_its_grace() {
    for lane in lanes() {
        let nap = nap();
        let script = format!("trap '' TERM; sleep {nap} & echo ready; wait; while :; do sleep {nap}; done");
        let mut running = start(&*lane, open()).await;
        let mut process = running.exec(sh(script)).await.unwrap();
        until(&mut process, "ready").await;
        process.stopper().stop();
        assert_eq!(watch(process).await.exit.end, End::Stopped, "{lane:?}");
        assert_eq!(alive(&nap), [""; 0], "{lane:?}");
    }
}

#[tokio::test]
async fn sigterm_reaches_everything_and_leaves_time_to_say_goodbye() {
    for lane in lanes() {
        let script = "setsid sh -c 'trap \"echo inner; exit\" TERM; echo ready; while :; do sleep 0.05; done' &
             trap 'wait; echo outer; exit 0' TERM; while :; do sleep 0.05; done";
        let mut command = sh(script);
        command.grace = Duration::from_secs(20);
        let mut running = start(&*lane, open()).await;
        let mut process = running.exec(command).await.unwrap();
        until(&mut process, "ready").await;
        process.stopper().stop();
        let seen = watch(process).await;
        assert_eq!((seen.out(), &seen.exit.end), ("inner\nouter", &End::Stopped), "{lane:?}");
    }
}

#[tokio::test]
async fn a_deadline_ends_the_whole_tree() {
    for lane in lanes() {
        let nap = nap();
        let command = sh(format!("{}; sleep {nap}", daemon(&nap))).deadline(Duration::from_secs(1));
        assert_eq!(run(&*lane, open(), command).await.exit.end, End::Deadline, "{lane:?}");
        assert_eq!(alive(&nap), [""; 0], "{lane:?}");
    }
}

#[tokio::test]
async fn a_background_child_that_holds_the_output_does_not_hold_the_result() {
    for lane in lanes() {
        let nap = nap();
        let seen = run(&*lane, open(), sh(format!("sleep {nap} & echo result; exit 5"))).await;
        assert_eq!((seen.out(), &seen.exit.end), ("result", &End::Exited { code: 5 }), "{lane:?}");
        assert_eq!(alive(&nap), [""; 0], "{lane:?}");
    }
}

#[tokio::test]
async fn a_runtime_that_is_shut_down_leaves_nothing_running() {
    for lane in lanes() {
        let nap = nap();
        let script = format!("{}; echo started; sleep {nap}", daemon(&nap));
        let inner = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            let held = runtime.block_on(async {
                let mut running = start(&*lane, open()).await;
                let mut process = running.exec(sh(script)).await.unwrap();
                until(&mut process, "started").await;
                (running, process)
            });
            drop(runtime);
            std::mem::forget(held);
        });
        inner.join().unwrap();
        let gone = tokio::task::spawn_blocking(move || eventually("all is gone", || alive(&nap).is_empty()));
        gone.await.unwrap();
    }
}

#[tokio::test]
async fn orphans_are_collected_while_the_command_runs() {
    for lane in lanes() {
        let script = "i=0; while [ $i -lt 200 ]; do (true & ) ; i=$((i+1)); done; sleep 0.5;
             cat /proc/[0-9]*/stat 2>/dev/null | grep -c '^[0-9]* (true) Z' || true";
        let seen = run(&*lane, open(), sh(script)).await.ok();
        assert_eq!(seen.out(), "0", "{lane:?}");
    }
}

#[tokio::test]
async fn a_supervisor_that_the_program_kills_takes_the_program_along_and_the_rest_is_found() {
    let lane = hedgerow_sandbox::HostSandbox::new().unwrap();
    let nap = nap();
    let script = format!("{}; kill -9 $PPID; sleep {nap}", daemon(&nap));
    let seen = run(&lane, open(), sh(script)).await;
    assert!(matches!(seen.exit.end, End::Lost { .. }), "{:?}", seen.exit.end);
    assert_eq!(alive(&nap), [""; 0]);
}

#[tokio::test]
async fn a_supervisor_that_the_program_stops_does_not_save_it() {
    let lane = hedgerow_sandbox::HostSandbox::new().unwrap();
    let nap = nap();
    let command = sh(format!("{}; kill -STOP $PPID; sleep {nap}", daemon(&nap))).deadline(Duration::from_secs(1));
    assert_eq!(run(&lane, open(), command).await.exit.end, End::Deadline);
    assert_eq!(alive(&nap), [""; 0]);
}

/// Which lane the embedding program of the next test uses; its presence makes this binary that program.
const ROLE: &str = "HEDGEROW_TEST_EMBEDDER";

#[tokio::test]
async fn role_embedder() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (index, nap) = role.split_once(' ').expect("a lane and a nap");
    let lane: Box<dyn Sandbox> = lanes().swap_remove(index.parse().unwrap());
    let mut running = start(&*lane, open()).await;
    let mut process = running.exec(sh(format!("{}; echo started; sleep {nap}", daemon(nap)))).await.unwrap();
    until(&mut process, "started").await;
    // Straight to the descriptor: the test harness holds back what is printed.
    std::io::stderr().write_all(b"running\n").unwrap();
    watch(process).await;
}

#[test]
fn an_embedding_program_that_is_killed_leaves_nothing_running() {
    for index in 0..lanes().len() {
        let nap = nap();
        let mut embedder = Direct::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::role_embedder", "--nocapture"])
            .env(ROLE, format!("{index} {nap}"))
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stderr = embedder.stderr.take().unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"running\n") {
            let mut byte = [0];
            assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
            seen.push(byte[0]);
        }
        assert!(alive(&nap).len() >= 2);
        embedder.kill().unwrap();
        embedder.wait().unwrap();
        eventually("all is gone", || alive(&nap).is_empty());
    }
}
