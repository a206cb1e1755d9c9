//! When those who wait, or who wait for them, die.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use bollard::query_parameters::{KillContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use hedgerow_sandbox::{DockerOptions, DockerSandbox, Doubt, End, Sandbox, SandboxId, Start, Warm};

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

/// A process that keeps two containers ready and uses one more, until it is killed.
async fn owner(mark: &SandboxId, id: &SandboxId, tree: &super::Tree) -> Child {
    let (binary, args) = own_role("pool::lost::owner_role");
    let mut owner = std::process::Command::new(binary)
        .args(args)
        .env(ROLE, "keeper")
        .env("HEDGEROW_TEST_MARK", mark.as_str())
        .env("HEDGEROW_TEST_ID", id.as_str())
        .env("HEDGEROW_TEST_TREE", &tree.path)
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
    let lane = warm(&mark, &tree, 2).await.expect("there is an engine");
    let spec = hedgerow_sandbox::Spec { id: SandboxId::new(given("ID")).expect("valid"), ..spec("owner", &tree) };
    let mut running = lane.start(spec).await.expect("starts");
    let script = "echo up; while :; do date +%s%N > beat; sleep 0.05; done";
    let mut process = running.exec(sh(script, &tree)).await.expect("runs");
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
    let mut owner = owner(&mark, &id, &tree).await;
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
async fn a_command_whose_owner_was_killed_is_ended_before_its_sandbox_can_be_used_again() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&fresh_id("fence"), &tree, 0).await else { return };
    drop(lane);
    let id = fresh_id("orphan");
    let mut owner = owner(&mark, &id, &tree).await;
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
    assert!(lane.adopt(&id).await.expect("asked").is_none());
    assert!(lane.list(&labels("owner")).await.expect("asked").is_empty());
    let beat = || std::fs::read(tree.path.join("beat")).expect("it was beating");
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
