//! A fleet that is killed after any of its records loses nothing and does nothing twice.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hedgerow_orchestrator::agents::CommandAgent;
use hedgerow_orchestrator::{AgentContext, Error, Fleet, Gate, GateSpec, Live, Outcome, Plan, Report, Verdict};

use crate::repo::{Repo, outcome, plan, task};

/// Says to a copy of this test binary which repository to work on, and after which event to die.
const CHILD: &str = "HEDGEROW_TEST_DIE_AFTER";

/// Three tasks: one lands, one needs it, one fails its gate. Each notes its attempt when it begins, and when it ends.
fn three(repo: &Path) -> Plan {
    let notes = repo.join("../ran");
    let script = |id: &str, more: &str| {
        let note = format!(">>{}", notes.display());
        format!(
            "echo \"begin $(git symbolic-ref HEAD)\" {note}; echo x >{id}; {more} sleep 0.3; echo 'end {id}' {note}"
        )
    };
    let one = task("one", &script("one", ""));
    let two = task("two", &script("two", "test -e one || exit 9;")).needs(&one.id);
    // Fails first, and mends it when it is asked again; each turn notes itself.
    let mends = format!(
        "echo \"turn $HEDGEROW_TURN $(git symbolic-ref HEAD)\" >>{}; test $HEDGEROW_TURN = 1 && touch red || rm red; echo $HEDGEROW_TURN >>mended",
        notes.display()
    );
    let mut mended = task("mended", "Mend it").turns(2);
    mended.agent = "mends".into();
    plan(GateSpec::command(["test", "!", "-e", "red"]))
        .agent("mends", CommandAgent::new(["sh", "-c", &mends]))
        .task(one)
        .task(two)
        .task(mended)
        .task(task("red", &script("red", "")))
}

/// Not a test of its own: what the child process does.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(order) = std::env::var(CHILD) else { return };
    let (last, path) = order.split_once(' ').expect("a number and a path");
    let last: u64 = last.parse().expect("a number");
    let repo = Path::new(path);
    if finished(repo).is_some() {
        return;
    }
    let lane = std::sync::Arc::new(hedgerow_orchestrator::sandbox::HostSandbox::new().expect("the host lane"));
    let policy = hedgerow_orchestrator::sandbox::Policy::open();
    let mut fleet = Fleet::builder(repo, lane).policy(policy).parallel(1).open().await.expect("a fleet");
    let mut live = fleet.subscribe();
    tokio::spawn(async move {
        while let Some(message) = live.next().await {
            if matches!(message, Live::Event(event) if event.seq >= last) {
                let me = rustix::process::getpid();
                rustix::process::kill_process(me, rustix::process::Signal::KILL).expect("a signal");
            }
        }
    });
    fleet.run(three(repo)).await.expect("a report");
}

/// The report of the newest run, once that is finished.
fn finished(repo: &Path) -> Option<Report> {
    Fleet::status(repo).expect("a status").pop().filter(|report| report.finished)
}

/// Runs the child; whether it was killed.
fn dies_after(event: u64, repo: &Path) -> bool {
    let status = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "recovery::child", "--nocapture"])
        .env(CHILD, format!("{event} {}", repo.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("a child");
    !status.success()
}

async fn assert_finished_once(repo: &Repo, after: u64) {
    let mut fleet = repo.builder().parallel(1).open().await.unwrap();
    let report = match finished(&repo.path) {
        Some(report) => report,
        None => fleet.run(three(&repo.path)).await.unwrap(),
    };
    assert!(report.finished, "killed after {after}: {report:#?}");
    for id in ["one", "two", "mended"] {
        assert!(matches!(outcome(&report, id), Outcome::Landed { .. }), "killed after {after}: {report:#?}");
        assert!(repo.has("agents", id));
        let merges = repo.git(&["log", "--merges", "--format=%s", &format!("--grep=^Task: {id}$"), "agents"]);
        assert_eq!(merges.lines().count(), 1, "killed after {after}: {id} landed more than once:\n{merges}");
    }
    assert!(matches!(outcome(&report, "red"), Outcome::Landed { .. } | Outcome::GateFailed { .. }));
    assert!(repo.has_anywhere("red"), "killed after {after}: work is lost");
    let notes = std::fs::read_to_string(repo.path.join("../ran")).unwrap();
    let lines: BTreeSet<_> = notes.lines().collect();
    assert_eq!(lines.len(), notes.lines().count(), "killed after {after}: something ran twice:\n{notes}");
    repo.assert_nothing_left_over();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_record_nothing_is_lost_and_nothing_runs_or_lands_twice() {
    let mut kills = 0;
    for after in 0.. {
        let repo = Repo::new();
        if !dies_after(after, &repo.path) {
            break;
        }
        kills += 1;
        assert_finished_once(&repo, after).await;
    }
    assert!(kills > 20, "the child was killed {kills} times only");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_in_one_run_it_still_ends() {
    let repo = Repo::new();
    let mut event = 0;
    while dies_after(event, &repo.path) {
        // Enough records for an interrupted attempt to be put away and the next one to get past its agent.
        event += 7;
        assert!(event < 1000, "the run never ends");
    }
    assert_finished_once(&repo, event).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recover_ends_what_was_begun_and_starts_nothing() {
    let repo = Repo::new();
    assert!(dies_after(2, &repo.path), "the child should have been killed");
    let mut fleet = repo.builder().open().await.unwrap();
    let report = fleet.recover().await.unwrap().expect("an unfinished run");
    assert!(!report.finished);
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
    assert!(
        fleet.run(plan(GateSpec::None).task(task("other", "true"))).await.is_err(),
        "the other run is not finished"
    );
    let closed = fleet.close().await.unwrap().expect("an unfinished run");
    assert!(closed.finished);
    assert_eq!(outcome(&closed, "two"), &Outcome::Cancelled);
    tokio::time::timeout(Duration::from_secs(60), fleet.recover()).await.unwrap().unwrap();
    let next = fleet.run(plan(GateSpec::None).task(task("next", "echo x >next"))).await.unwrap();
    assert!(next.success(), "a fleet that closed a run cannot run the next: {next:#?}");
    repo.assert_nothing_left_over();
}

/// Passes everything, and has a name of its own.
#[derive(Debug)]
struct Other;

#[async_trait::async_trait]
impl Gate for Other {
    fn name(&self) -> &str {
        "other"
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn judge(&self, _: &mut AgentContext<'_>) -> hedgerow_orchestrator::Result<Verdict> {
        Ok(Verdict::Passed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_cannot_go_on_with_another_gate_than_it_began_with() {
    let repo = Repo::new();
    assert!(dies_after(2, &repo.path), "the child should have been killed");
    let error = repo.builder().gate(Other).open().await.unwrap_err();
    assert!(matches!(&error, Error::Preflight { problem } if problem.contains("\"other\"")), "{error}");
    assert_finished_once(&repo, 2).await;
}
