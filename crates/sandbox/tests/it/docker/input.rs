//! Owners that die while, before or after their command is given its standard input.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{InspectContainerOptions, RenameContainerOptionsBuilder};
use hedgerow_sandbox::{
    Command, DockerOptions, DockerSandbox, End, Error, Labels, Policy, Running, Sandbox, SandboxId, Spec, Stopped,
};

use super::{IMAGE, ROLE, Tree, containers, fresh_id, gone, lane, listen, own_role, sh, spec, tree, writable};

/// Bytes of which no part can be taken for the whole: numbered lines.
fn text(bytes: usize) -> Vec<u8> {
    let mut text: Vec<u8> = (0..bytes).flat_map(|n| format!("{n}\n").into_bytes()).take(bytes).collect();
    text.extend(b"the end\n");
    text
}

/// Starts an owner that runs a command with input, as soon as it says that it is about to.
fn owner(id: &SandboxId, tree: &Tree, script: &str, input: usize) -> Child {
    let (binary, args) = own_role("input::owner_role");
    let mut owner = std::process::Command::new(binary)
        .args(args)
        .env(ROLE, "typing-owner")
        .env("HEDGEROW_TEST_ID", id.as_str())
        .env("HEDGEROW_TEST_TREE", &tree.path)
        .env("HEDGEROW_TEST_SCRIPT", script)
        .env("HEDGEROW_TEST_INPUT", input.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the owner starts");
    let lines = BufReader::new(owner.stdout.take().expect("piped")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("OWNER STARTS")), "the owner never got so far");
    owner
}

/// Not a test by itself: the process that is killed in the tests below.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the test that started it waits for the word")]
async fn owner_role() {
    if std::env::var(ROLE).as_deref() != Ok("typing-owner") {
        return;
    }
    let given = |name: &str| std::env::var(format!("HEDGEROW_TEST_{name}")).expect("given by the test");
    let path: std::path::PathBuf = given("TREE").into();
    let lane = DockerSandbox::connect(DockerOptions::new(IMAGE)).await.expect("connects");
    let id = SandboxId::new(given("ID")).expect("valid");
    let spec =
        Spec { id, labels: Labels::new(), policy: Policy::standard(), mounts: vec![writable(&path)], home: None };
    let mut running = lane.start(spec).await.expect("starts");
    let command = Command::new("sh", &path)
        .args(["-c", &given("SCRIPT")])
        .stdin(text(given("INPUT").parse().expect("a number")))
        .deadline(Duration::from_secs(300));
    println!("OWNER STARTS");
    let _process = running.exec(command).await.expect("runs");
    std::future::pending::<()>().await;
}

fn kill(mut owner: Child) {
    owner.kill().expect("SIGKILL");
    owner.wait().expect("reaped");
}

async fn appears(tree: &Tree, name: &str) {
    for _ in 0..1200 {
        if tree.path.join(name).exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{name} never appeared");
}

async fn docker() -> Docker {
    let docker = Docker::connect_with_unix("/var/run/docker.sock", 60, bollard::API_DEFAULT_VERSION).expect("socket");
    docker.negotiate_version().await.expect("version")
}

/// The name that the engine has for the only container of a sandbox.
async fn name(id: &SandboxId) -> String {
    let found = containers(id).await;
    let [container] = found.as_slice() else { panic!("not one container: {found:?}") };
    let options: Option<InspectContainerOptions> = None;
    docker().await.inspect_container(container, options).await.expect("there").name.expect("named")
}

/// Waits until the engine knows that the input was delivered.
async fn noted(id: &SandboxId) {
    for _ in 0..600 {
        if !containers(id).await.is_empty() && name(id).await == format!("/hedgerow-{id}-1") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the delivery was never noted");
}

/// Takes over a sandbox whose command must not be reported, and sees that it can be used and leaves nothing.
async fn nothing_to_resume(lane: &DockerSandbox, id: &SandboxId, tree: &Tree) {
    let mut running = lane.adopt(id).await.expect("asked").expect("the sandbox is there");
    assert!(running.resume().await.expect("asked").is_none(), "a command with a cut input was taken over");
    assert!(containers(id).await.is_empty(), "it still runs");
    let next = listen(running.exec(sh("cat", tree).stdin("next")).await.expect("the sandbox goes on")).await;
    assert_eq!((next.out().as_str(), next.exit.end), ("next", End::Exited { code: 0 }));
    assert_eq!(running.stop(Duration::ZERO).await.expect("stops"), Stopped::Idle);
    assert!(containers(id).await.is_empty());
    assert!(lane.adopt(id).await.expect("asked").is_none(), "nothing is left to adopt");
}

#[tokio::test]
async fn a_command_that_succeeds_on_half_of_its_input_is_not_taken_over() {
    let Some(lane) = lane().await else { return };
    let (tree, id) = (tree(), fresh_id("half"));
    let script = "touch up; until [ -e go ]; do sleep 0.05; done; wc -c > count; mv count over";
    let owner = owner(&id, &tree, script, 8 << 20);
    appears(&tree, "up").await;
    kill(owner);
    std::fs::write(tree.path.join("go"), "").expect("written");
    appears(&tree, "over").await;
    let count: usize = std::fs::read_to_string(tree.path.join("over")).expect("text").trim().parse().expect("number");
    assert!(count < 8 << 20, "all of it was delivered; this test needs more input than fits on the way");
    nothing_to_resume(&lane, &id, &tree).await;
}

#[tokio::test]
async fn a_command_that_still_reads_when_its_owner_has_died_is_killed() {
    let Some(lane) = lane().await else { return };
    let (tree, id) = (tree(), fresh_id("slow"));
    let script = "touch up; while :; do head -c 4096 > /dev/null; sleep 0.2; done";
    let owner = owner(&id, &tree, script, 8 << 20);
    appears(&tree, "up").await;
    kill(owner);
    nothing_to_resume(&lane, &id, &tree).await;
}

#[tokio::test]
async fn a_sandbox_whose_input_is_pending_is_stopped_without_being_resumed() {
    let Some(lane) = lane().await else { return };
    let (tree, id) = (tree(), fresh_id("pending"));
    let owner = owner(&id, &tree, "touch up; sleep 300", 8 << 20);
    appears(&tree, "up").await;
    kill(owner);
    assert!(name(&id).await.ends_with(".input-pending"));
    assert!(lane.list(&Labels::new()).await.expect("list").contains(&id));
    // Whoever starts it anew instead gets no command of the same number beside it, which would then pass for the same one.
    let mut anew = lane.start(Spec { id: id.clone(), ..spec("pending", &tree) }).await.expect("starts");
    let mut process = anew.exec(sh("hostname; sleep 300", &tree)).await.expect("runs");
    super::until(&mut process, "\n").await;
    let mut names = Vec::new();
    for container in containers(&id).await {
        let options: Option<InspectContainerOptions> = None;
        names.extend(docker().await.inspect_container(&container, options).await.expect("there").name);
    }
    names.sort();
    assert_eq!(names, [format!("/hedgerow-{id}-1.input-pending"), format!("/hedgerow-{id}-2")]);
    process.stopper().kill();
    process.wait().await.expect("killed");
    drop(anew);
    let running = lane.adopt(&id).await.expect("asked").expect("the sandbox is there");
    running.stop(Duration::ZERO).await.expect("stops");
    assert!(containers(&id).await.is_empty());
    assert!(!lane.list(&Labels::new()).await.expect("list").contains(&id));
}

/// More than the program's own pipe holds: much of it is still with the engine when the owner dies, and the program's output
/// finds no reader.
#[tokio::test]
async fn input_that_was_delivered_reaches_the_program_after_the_death_of_its_owner() {
    let Some(lane) = lane().await else { return };
    let (tree, id) = (tree(), fresh_id("delivered"));
    let script = "until [ -e go ]; do echo waiting; sleep 0.02; done; touch went; cat > seen; exit 4";
    let owner = owner(&id, &tree, script, 250_000);
    noted(&id).await;
    kill(owner);
    tokio::time::sleep(Duration::from_millis(500)).await;
    std::fs::write(tree.path.join("go"), "").expect("written");
    let mut running = lane.adopt(&id).await.expect("asked").expect("it runs");
    let said = listen(running.resume().await.expect("resumed").expect("its input is whole")).await;
    assert_eq!(said.exit.end, End::Exited { code: 4 });
    let seen = std::fs::read(tree.path.join("seen")).expect("written inside");
    assert!(seen == text(250_000), "{} bytes reached it", seen.len());
}

#[tokio::test]
async fn whenever_the_owner_dies_a_resumed_command_has_all_of_its_input() {
    let Some(lane) = lane().await else { return };
    let expected = String::from_utf8(text(3000)).expect("text") + "over\n";
    let (mut resumed, mut refused) = (0, 0);
    for round in 0..18 {
        let (tree, id) = (tree(), fresh_id("moment"));
        let owner = owner(&id, &tree, "touch up; cat; echo over; sleep 0.1", 3000);
        // From before the container is made until long after its end of input, closest together around its start.
        if round >= 6 {
            appears(&tree, "up").await;
            tokio::time::sleep(Duration::from_millis(4 * (round - 6))).await;
        } else {
            tokio::time::sleep(Duration::from_millis(60 * round)).await;
        }
        kill(owner);
        let taken = match lane.adopt(&id).await.expect("asked") {
            Some(mut running) => {
                match running.resume().await.expect("asked") {
                    Some(process) => {
                        let said = listen(process).await;
                        // The owner's last request, to remove what had ended, may overtake us: then nothing is claimed.
                        if matches!(said.exit.end, End::Lost { .. }) {
                            refused += 1;
                        } else {
                            assert_eq!((said.out(), said.exit.end), (expected.clone(), End::Exited { code: 0 }));
                            resumed += 1;
                        }
                    }
                    None => refused += 1,
                }
                Some(running)
            }
            None => None,
        };
        clean(&lane, &id, taken).await;
    }
    assert!(resumed + refused > 0, "no round had a container");
}

/// The request that makes a container may still be on its way when its owner is dead.
async fn clean(lane: &DockerSandbox, id: &SandboxId, taken: Option<Box<dyn Running>>) {
    if let Some(running) = taken {
        running.stop(Duration::ZERO).await.expect("stops");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    if let Some(mut late) = lane.adopt(id).await.expect("asked") {
        assert!(late.resume().await.expect("asked").is_none(), "nobody can have given it its input");
        late.stop(Duration::ZERO).await.expect("stops");
    }
    gone(id).await;
}

#[tokio::test]
async fn a_delivery_that_cannot_be_noted_is_an_error_and_ends_the_command() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let (spec, other) = (spec("unnoted", &tree), spec("unnoted-other", &tree));
    let (id, holder) = (spec.id.clone(), other.id.clone());
    let mut running = lane.start(spec).await.expect("starts");
    // It reads when it is told to, and until then there is more than fits on the way.
    let script = "touch up; until [ -e go ]; do sleep 0.05; done; cat > /dev/null; sleep 300";
    let process = running.exec(sh(script, &tree).stdin(vec![b'x'; 8 << 20])).await.expect("runs");
    appears(&tree, "up").await;
    let mut second = lane.start(other).await.expect("starts");
    let _sleeping = second.exec(sh("sleep 300", &tree)).await.expect("runs");
    let taken = RenameContainerOptionsBuilder::default().name(&format!("hedgerow-{id}-1")).build();
    docker().await.rename_container(&containers(&holder).await[0], taken).await.expect("the name is taken away");
    std::fs::write(tree.path.join("go"), "").expect("written");
    let error = process.wait().await.expect_err("it cannot be noted");
    assert!(matches!(error, Error::Lane { .. }), "{error}");
    gone(&id).await;
    second.stop(Duration::ZERO).await.expect("stops");
    // The sandbox is none the worse for it.
    assert_eq!(listen(running.exec(sh("cat", &tree).stdin("x")).await.expect("runs")).await.out(), "x");
    running.stop(Duration::ZERO).await.expect("stops");
}
