//! When those who wait, or who wait for them, die.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use bollard::query_parameters::{KillContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use hedgerow_sandbox::{
    DockerOptions, DockerSandbox, Doubt, End, Error, Output, Sandbox, SandboxId, Start, Stopped, Stream, Warm,
};

use super::super::{ROLE, containers, own_role, sh, spec, tree, until};
use super::{IMAGE, engine, fenced, fresh_id, marked, none_left, run, run_warm, warm};

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_was_lost_while_it_waited_is_never_given_away() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &tree, 2).await else { return };
    let waiting: Vec<_> = marked(&mark).await.into_iter().filter_map(|container| container.id).collect();
    let docker = engine().await;
    let kill = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
    docker.kill_container(&waiting[0], Some(kill)).await.expect("killed");
    let force = RemoveContainerOptionsBuilder::default().force(true).build();
    docker.remove_container(&waiting[1], Some(force)).await.expect("removed");
    let (start, said) = run(&lane, spec("lost", &tree), sh("echo ran", &tree)).await;
    assert_eq!(said.out(), "ran\n", "{start:?} {said:?}");
    // They are replaced, and the one that was killed is taken away.
    super::ready(&lane, 2).await;
    assert_eq!(run_warm(&lane, spec("found", &tree), sh("echo ran", &tree)).await.out(), "ran\n");
    let left: Vec<_> = marked(&mark).await.into_iter().filter_map(|container| container.id).collect();
    assert!(!left.contains(&waiting[0]), "{left:?}");
    lane.cool().await.expect("removed");
    none_left(&mark).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_stops_answering_is_not_waited_for_for_ever() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &tree, 1).await else { return };
    let waiting = marked(&mark).await.remove(0).id.expect("an id");
    engine().await.pause_container(&waiting).await.expect("paused");
    let (start, said) = run(&lane, spec("paused", &tree), sh("echo ran", &tree)).await;
    assert!(said.out() == "ran\n" && start != Start::Fresh, "{start:?} {said:?}");
    lane.cool().await.expect("removed");
    none_left(&mark).await;
}

/// Says something, and shows by a file that it runs.
const BEATING: &str = "echo up; echo oops >&2; while :; do date +%s%N > beat; sleep 0.05; done";
/// Puts into the beginning of its log, which holds two MiB, what the shell says of a command before it begins; `$RECORD` is
/// what it says of this one, but for the token.
const FORGING: &str = r#"echo up; line=$(printf 'warm\nready %032d %s' 0 "$RECORD")
yes "$line" | head -c 6000000 >&2; echo > beat; sleep 300"#;

/// A process that keeps two containers ready and uses one more, until it is killed.
async fn owner(mark: &SandboxId, id: &SandboxId, tree: &super::Tree, script: &str) -> Child {
    let (binary, args) = own_role("pool::lost::owner_role");
    let mut owner = std::process::Command::new(binary)
        .args(args)
        .env(ROLE, "keeper")
        .env("HEDGEROW_TEST_MARK", mark.as_str())
        .env("HEDGEROW_TEST_ID", id.as_str())
        .env("HEDGEROW_TEST_TREE", &tree.path)
        .env("HEDGEROW_TEST_SCRIPT", script)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the owner starts");
    let lines = BufReader::new(owner.stdout.take().expect("piped")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("OWNER READY")), "the owner never ran its command");
    owner
}

/// Not a test by itself: the process that is killed in the tests below.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the test that started it waits for the word")]
async fn owner_role() {
    if std::env::var(ROLE).as_deref() != Ok("keeper") {
        return;
    }
    let given = |name: &str| std::env::var(format!("HEDGEROW_TEST_{name}")).expect("given by the test");
    let tree = super::Tree::at(given("TREE").into());
    let mark = SandboxId::new(given("MARK")).expect("valid");
    let mut spec = hedgerow_sandbox::Spec { id: SandboxId::new(given("ID")).expect("valid"), ..spec("owner", &tree) };
    // So that the engine keeps little of its output.
    spec.policy.limits.output = 64 << 10;
    let kind = Warm::like(spec.clone(), 2);
    let lane = super::warm_for(&mark, [kind], 2).await.expect("there is an engine");
    let record = serde_json::json!({ "number": 9, "policy": spec.policy, "mounts": [] }).to_string();
    let mut running = lane.start(spec).await.expect("starts");
    let mut process = running.exec(sh(&given("SCRIPT"), &tree).env("RECORD", record)).await.expect("runs");
    assert_eq!(process.start(), &Start::Warm);
    until(&mut process, "up").await;
    super::ready(&lane, 2).await;
    println!("OWNER READY");
    std::thread::sleep(Duration::from_secs(300));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_owner_kept_ready_ends_by_itself_and_is_reaped() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&fresh_id("fence"), &tree, 0).await else { return };
    drop(lane);
    let id = fresh_id("kept");
    let mut owner = owner(&mark, &id, &tree, BEATING).await;
    let lane = fenced(&mark).await.expect("there is an engine");
    let reaped = lane.reap(Doubt::Leave).await.expect("asked");
    assert!(reaped.removed.is_empty() && reaped.left.len() == 3, "{reaped:?}");
    owner.kill().expect("SIGKILL");
    owner.wait().expect("reaped");
    // Nobody can tell their shells anything any more.
    for _ in 0..300 {
        let running = |c: &bollard::models::ContainerSummary| {
            c.state == Some(bollard::models::ContainerSummaryStateEnum::RUNNING)
        };
        if marked(&mark).await.iter().filter(|container| running(container)).count() <= 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let reaped = lane.reap(Doubt::Leave).await.expect("asked");
    assert_eq!((reaped.removed.len(), reaped.left.len()), (3, 0), "{reaped:?}");
    assert!(reaped.removed.iter().all(|left| left.why.contains("is gone")), "{reaped:?}");
    assert_eq!(reaped.removed.iter().filter(|left| left.sandbox == id).count(), 1, "{reaped:?}");
    assert!(marked(&mark).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_owner_was_killed_is_taken_over_with_all_of_its_output() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&fresh_id("fence"), &tree, 0).await else { return };
    drop(lane);
    let id = fresh_id("orphan");
    let mut owner = owner(&mark, &id, &tree, BEATING).await;
    let lane = DockerSandbox::connect(DockerOptions::new(IMAGE).label("fence", mark.as_str())).await.expect("connects");
    assert!(lane.adopt(&id).await.is_err(), "a living process holds it");
    owner.kill().expect("SIGKILL");
    owner.wait().expect("reaped");
    let labels = |value: &str| [("hedgerow-test".to_owned(), value.to_owned())].into();
    assert_eq!(
        lane.list(&labels("owner")).await.expect("asked"),
        std::slice::from_ref(&id),
        "nobody would ever stop it"
    );
    assert!(lane.list(&labels("other")).await.expect("asked").is_empty());
    let beat = || std::fs::read(tree.path.join("beat")).expect("it was beating");
    let before = beat();
    let mut adopted = lane.adopt(&id).await.expect("asked").expect("it runs");
    let mut process = adopted.resume().await.expect("followed").expect("one is underway");
    assert_eq!(lane.list(&labels("owner")).await.expect("asked"), std::slice::from_ref(&id));
    let (mut out, mut err) = (String::new(), String::new());
    while out.is_empty() || err.is_empty() {
        match process.next().await {
            Some(Output::Bytes(Stream::Stdout, bytes)) => out.push_str(&String::from_utf8_lossy(&bytes)),
            Some(Output::Bytes(Stream::Stderr, bytes)) => err.push_str(&String::from_utf8_lossy(&bytes)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((out.as_str(), err.as_str()), ("up\n", "oops\n"), "what the shell said before is nobody's output");
    crate::world::eventually("it runs on", || beat() != before);
    process.stopper().stop();
    assert_eq!(process.wait().await.expect("an end").end, End::Stopped);
    let said = super::super::once_in(&mut adopted, sh("cat < beat > /dev/null && echo second", &tree)).await;
    assert_eq!(said.out(), "second\n", "its sandbox is as it was: {said:?}");
    adopted.stop(Duration::from_secs(1)).await.expect("stopped");
    assert!(lane.list(&labels("owner")).await.expect("asked").is_empty());
    let last = beat();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(beat(), last, "it still runs");
    let lane = lane.warm([Warm::like(spec("pattern", &tree), 1)]).await.expect("warm");
    let again = hedgerow_sandbox::Spec { id: id.clone(), ..spec("again", &tree) };
    let said = run_warm(&lane, again, sh("echo again", &tree)).await;
    assert_eq!((said.out().as_str(), said.exit.end), ("again\n", End::Exited { code: 0 }));
    assert!(containers(&id).await.is_empty());
    lane.cool().await.expect("removed");
    assert!(lane.reap(Doubt::Leave).await.expect("asked").left.is_empty());
    none_left(&mark).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_writes_a_record_of_its_own_into_the_log_is_not_believed() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&fresh_id("fence"), &tree, 0).await else { return };
    drop(lane);
    let id = fresh_id("forger");
    let mut owner = owner(&mark, &id, &tree, FORGING).await;
    let lane = fenced(&mark).await.expect("there is an engine");
    crate::world::eventually("the log has been filled", || tree.path.join("beat").exists());
    owner.kill().expect("SIGKILL");
    owner.wait().expect("reaped");
    let mut adopted = lane.adopt(&id).await.expect("asked").expect("that it ran is known");
    let exit = adopted.resume().await.expect("asked").expect("it was underway").wait().await.expect("an end");
    assert!(matches!(exit.end, End::Lost { .. }), "what it says of itself counts: {exit:?}");
    assert!(adopted.resume().await.expect("asked").is_none());
    assert!(adopted.exec(sh("true", &tree)).await.is_err());
    assert_eq!(adopted.stop(Duration::ZERO).await.expect("stopped"), Stopped::Idle);
    assert!(lane.adopt(&id).await.expect("asked").is_none(), "it was removed");
    assert!(lane.reap(Doubt::Leave).await.expect("asked").left.is_empty());
    none_left(&mark).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_waiting_for_containers_that_are_made_ready_leaves_none_behind() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = fenced(&mark).await else { return };
    let mut given_up = 0;
    for wait in [5, 20, 60, 120, 200, 300, 500] {
        let warming = lane.clone().warm([Warm::like(spec("pattern", &tree), 2)]);
        match tokio::time::timeout(Duration::from_millis(wait), warming).await {
            Err(_) => given_up += 1,
            Ok(Ok(warm)) => warm.cool().await.expect("removed"),
            Ok(Err(Error::Unavailable { .. })) => return crate::world::skipped("no tree can be mounted"),
            Ok(Err(error)) => panic!("{error}"),
        }
    }
    assert!(given_up > 0, "the first of them is hardly enough for a request");
    none_left(&mark).await;
}
