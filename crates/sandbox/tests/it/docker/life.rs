//! Sandboxes that are dropped, stopped, listed, and taken over after their owner died.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use hedgerow_sandbox::{DockerOptions, DockerSandbox, End, Labels, Policy, Sandbox, SandboxId, Spec, Stopped};

use super::{IMAGE, ROLE, Tree, containers, gone, lane, listen, own_role, sh, spec, tree, until, writable};

#[tokio::test]
async fn a_dropped_process_leaves_nothing_behind() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let spec = spec("drop", &tree);
    let (id, labels) = (spec.id.clone(), Labels::from([("hedgerow-test".into(), "drop".into())]));
    let mut running = lane.start(spec).await.expect("starts");
    let mut process =
        running.exec(sh("trap '' TERM; echo up; while :; do sleep 0.1; done", &tree)).await.expect("runs");
    until(&mut process, "up").await;
    assert_eq!(containers(&id).await.len(), 1);
    drop(process);
    gone(&id).await;
    drop(running);
    assert!(!lane.list(&labels).await.expect("list").contains(&id));
}

#[tokio::test]
async fn no_time_limit_is_a_time_limit_too() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let unlimited = |script: &str| {
        let mut command = sh(script, &tree).deadline(Duration::MAX);
        (command.idle, command.grace) = (Some(Duration::MAX), Duration::MAX);
        command
    };
    let mut running = lane.start(spec("forever", &tree)).await.expect("starts");
    let said = listen(running.exec(unlimited("echo said")).await.expect("runs")).await;
    assert_eq!((said.out().as_str(), &said.exit.end), ("said\n", &End::Exited { code: 0 }));
    let script = "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done";
    let mut process = running.exec(unlimited(script)).await.expect("runs");
    until(&mut process, "up").await;
    process.stopper().stop();
    assert_eq!(listen(process).await.exit.end, End::Stopped);
    let mut process = running.exec(unlimited(script)).await.expect("runs");
    until(&mut process, "up").await;
    assert_eq!(running.stop(Duration::MAX).await.expect("stopped"), Stopped::Killed);
    assert_eq!(listen(process).await.exit.end, End::Stopped);
}

#[tokio::test]
async fn a_caller_who_gives_up_while_the_command_starts_leaves_nothing_behind() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let spec = spec("cancel", &tree);
    let id = spec.id.clone();
    let mut running = lane.start(spec).await.expect("starts");
    for patience in [0, 5, 20, 60, 120] {
        let starting = running.exec(sh("sleep 300", &tree));
        let gave_up = tokio::time::timeout(Duration::from_millis(patience), starting).await;
        drop(gave_up);
    }
    running.stop(Duration::ZERO).await.expect("stopped");
    gone(&id).await;
}

#[tokio::test]
async fn a_sandbox_that_is_stopped_takes_its_command_with_it() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let spec = spec("stop", &tree);
    let id = spec.id.clone();
    let mut running = lane.start(spec).await.expect("starts");
    let mut process = running.exec(sh("echo up; sleep 300", &tree)).await.expect("runs");
    until(&mut process, "up").await;
    assert_eq!(running.stop(Duration::from_secs(5)).await.expect("stops"), Stopped::Killed);
    assert!(containers(&id).await.is_empty());
    assert_eq!(process.wait().await.expect("exit").end, End::Stopped);
}

#[tokio::test]
async fn a_sandbox_is_listed_by_all_of_its_labels_until_it_is_stopped() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut spec = spec("list", &tree);
    let id = spec.id.clone();
    spec.labels.insert("task".into(), id.to_string());
    let of = |task: &str| Labels::from([("hedgerow-test".into(), "list".into()), ("task".into(), task.into())]);
    let mut running = lane.start(spec).await.expect("starts");
    assert_eq!(lane.list(&of(id.as_str())).await.expect("list"), std::slice::from_ref(&id));
    let _process = running.exec(sh("sleep 300", &tree)).await.expect("runs");
    // Another process has nothing but the engine to ask.
    let other = DockerSandbox::connect(DockerOptions::new(IMAGE)).await.expect("connects");
    assert_eq!(other.list(&of(id.as_str())).await.expect("list"), std::slice::from_ref(&id));
    assert_eq!(other.list(&of("another")).await.expect("list"), []);
    let stranger = DockerSandbox::connect(DockerOptions::new(IMAGE).label("project", "other")).await.expect("connects");
    assert_eq!(stranger.list(&of(id.as_str())).await.expect("list"), []);
    assert!(stranger.adopt(&id).await.expect("asked").is_none());
    running.stop(Duration::ZERO).await.expect("stops");
    assert_eq!(lane.list(&of(id.as_str())).await.expect("list"), []);
}

#[tokio::test]
async fn a_container_that_somebody_else_removed_is_lost_and_not_a_success() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let spec = spec("removed", &tree);
    let id = spec.id.clone();
    let mut running = lane.start(spec).await.expect("starts");
    let mut process = running.exec(sh("echo up; sleep 300", &tree)).await.expect("runs");
    until(&mut process, "up").await;
    let docker =
        bollard::Docker::connect_with_unix("/var/run/docker.sock", 60, bollard::API_DEFAULT_VERSION).expect("socket");
    let docker = docker.negotiate_version().await.expect("version");
    let force = bollard::query_parameters::RemoveContainerOptionsBuilder::default().force(true).build();
    docker.remove_container(&containers(&id).await[0], Some(force)).await.expect("removed");
    let end = process.wait().await.expect("exit").end;
    assert!(matches!(end, End::Lost { .. } | End::ExitedOrSignaled { code: 137 }), "{end:?}");
}

/// A sandbox whose owner, another process, was killed while the command ran.
pub(super) async fn orphan(name: &str, tree: &Tree, script: &str, deadline: Duration) -> SandboxId {
    let id = super::fresh_id(name);
    let (binary, args) = own_role("life::owner_role");
    let mut owner = std::process::Command::new(binary)
        .args(args)
        .env(ROLE, "owner")
        .env("HEDGEROW_TEST_ID", id.as_str())
        .env("HEDGEROW_TEST_TREE", &tree.path)
        .env("HEDGEROW_TEST_SCRIPT", script)
        .env("HEDGEROW_TEST_DEADLINE", deadline.as_secs().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the owner starts");
    wait_for_ready(&mut owner);
    owner.kill().expect("SIGKILL");
    owner.wait().expect("reaped");
    id
}

fn wait_for_ready(owner: &mut Child) {
    let lines = BufReader::new(owner.stdout.take().expect("piped")).lines();
    let ready = lines.map_while(Result::ok).any(|line| line.contains("OWNER READY"));
    assert!(ready, "the owner never ran its command");
}

/// Not a test by itself: the process that is killed in the tests below.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the test that started it waits for the word")]
async fn owner_role() {
    if std::env::var(ROLE).as_deref() != Ok("owner") {
        return;
    }
    let given = |name: &str| std::env::var(format!("HEDGEROW_TEST_{name}")).expect("given by the test");
    let path: std::path::PathBuf = given("TREE").into();
    let lane = DockerSandbox::connect(DockerOptions::new(IMAGE)).await.expect("connects");
    let id = SandboxId::new(given("ID")).expect("valid");
    let labels = Labels::from([("orphan".to_owned(), id.to_string())]);
    let spec = Spec { id, labels, policy: Policy::standard(), mounts: vec![writable(&path)], home: None };
    let mut running = lane.start(spec).await.expect("starts");
    let deadline = Duration::from_secs(given("DEADLINE").parse().expect("a number"));
    let command = hedgerow_sandbox::Command::new("sh", &path).args(["-c", &given("SCRIPT")]).deadline(deadline);
    let mut process = running.exec(command).await.expect("runs");
    until(&mut process, "up").await;
    println!("OWNER READY");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn what_outlived_its_owner_is_taken_over_with_all_of_its_output() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let script = r"echo up; until [ -e go ]; do sleep 0.05; done; printf '\377\001last'; echo e >&2; exit 5";
    let id = orphan("adopt", &tree, script, Duration::from_secs(300)).await;
    let labels = Labels::from([("orphan".to_owned(), id.to_string())]);
    assert_eq!(lane.list(&labels).await.expect("list"), std::slice::from_ref(&id));
    let mut running = lane.adopt(&id).await.expect("asked").expect("it runs");
    let process = running.resume().await.expect("resumed").expect("a command is underway");
    std::fs::write(tree.path.join("go"), "").expect("written");
    let said = listen(process).await;
    assert_eq!((said.out.as_slice(), said.err.as_slice()), (&b"up\n\xff\x01last"[..], &b"e\n"[..]));
    assert_eq!(said.exit.end, End::Exited { code: 5 });
    assert!(containers(&id).await.is_empty());
    assert!(running.resume().await.expect("asked").is_none(), "it is underway once");
    let again = listen(running.exec(sh("echo again", &tree)).await.expect("the sandbox goes on")).await;
    assert_eq!(again.out(), "again\n");
    running.stop(Duration::ZERO).await.expect("stops");
    assert!(lane.adopt(&id).await.expect("asked").is_none(), "nothing is left to adopt");
}

#[tokio::test]
async fn what_ended_after_its_owner_is_reported_with_its_output_and_status() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let script = "echo up; until [ -e go ]; do sleep 0.05; done; seq 1 20000; touch over; exit 6";
    let id = orphan("late", &tree, script, Duration::from_secs(300)).await;
    std::fs::write(tree.path.join("go"), "").expect("written");
    while !tree.path.join("over").exists() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut running = lane.adopt(&id).await.expect("asked").expect("it is there");
    let said = listen(running.resume().await.expect("resumed").expect("a command")).await;
    let expected: String = std::iter::once("up\n".to_owned()).chain((1..=20_000).map(|n| format!("{n}\n"))).collect();
    assert!(said.out() == expected, "{} bytes instead of {}", said.out.len(), expected.len());
    assert_eq!(said.exit.end, End::Exited { code: 6 });
    gone(&id).await;
}

#[tokio::test]
async fn a_deadline_that_passed_while_nobody_watched_is_enforced_at_once() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let id = orphan("overdue", &tree, "echo up; sleep 300", Duration::from_secs(2)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut running = lane.adopt(&id).await.expect("asked").expect("it runs");
    let said = listen(running.resume().await.expect("resumed").expect("a command")).await;
    assert_eq!((said.out().as_str(), said.exit.end), ("up\n", End::Deadline));
}

#[tokio::test]
async fn an_adopted_sandbox_can_be_stopped_without_listening_to_it() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let id = orphan("unheard", &tree, "echo up; sleep 300", Duration::from_secs(300)).await;
    let running = lane.adopt(&id).await.expect("asked").expect("it runs");
    assert_eq!(running.stop(Duration::ZERO).await.expect("stops"), Stopped::Killed);
    assert!(containers(&id).await.is_empty());
}
