//! What owners leave, and who may remove it or take it over.

use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerSummary};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    RenameContainerOptionsBuilder,
};
use hedgerow_sandbox::{DockerOptions, DockerSandbox, Doubt, End, Error, Sandbox, SandboxId};

use super::life::orphan;
use super::{IMAGE, containers, engine, fresh_id, gone, lane, listen, sh, spec, tree, until};

/// A lane that looks at the containers of one test only.
async fn fenced(mark: &SandboxId) -> DockerSandbox {
    DockerSandbox::connect(DockerOptions::new(IMAGE).label("fence", mark.as_str())).await.expect("connects")
}

/// The containers that carry a mark, as the engine tells of them.
async fn marked(mark: &SandboxId) -> Vec<ContainerSummary> {
    let filters = [("label".to_owned(), vec![format!("fence={mark}")])].into();
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    engine().await.list_containers(Some(options)).await.expect("list")
}

/// A container that was made and never started, with these labels on top.
async fn half_made(mark: &SandboxId, labels: &[(&str, &str)]) -> String {
    let name = fresh_id("half");
    let own = [("fence", mark.as_str()), ("hedgerow.sandbox", name.as_str())];
    let labels = own.iter().chain(labels).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let body = ContainerCreateBody { image: Some(IMAGE.into()), labels: Some(labels), ..Default::default() };
    let options = CreateContainerOptionsBuilder::default().name(name.as_str()).build();
    engine().await.create_container(Some(options), body).await.expect("made").id
}

async fn remove(container: &str) {
    let force = RemoveContainerOptionsBuilder::default().force(true).build();
    engine().await.remove_container(container, Some(force)).await.expect("removed");
}

/// The owner that a lane of this process writes on its containers, with one part of it changed.
async fn own_lease(mark: &SandboxId, part: usize, value: &str) -> String {
    let tree = tree();
    let mut running = fenced(mark).await.start(spec("lease", &tree)).await.expect("starts");
    let mut process = running.exec(sh("echo up; sleep 300", &tree)).await.expect("runs");
    until(&mut process, "up").await;
    let found = marked(mark).await.remove(0).labels.expect("labels");
    running.stop(Duration::ZERO).await.expect("stops");
    let mut parts: Vec<_> = found["hedgerow.lease"].split('-').map(str::to_owned).collect();
    parts[part] = value.to_owned();
    parts.join("-")
}

#[tokio::test]
async fn what_a_dead_owner_left_is_reaped_and_what_a_living_one_holds_is_not() {
    let Some(_) = lane().await else { return };
    let (mark, tree) = (fresh_id("fence"), tree());
    let dead = orphan("reap-dead", &tree, "echo up; sleep 300", Duration::from_secs(300)).await;
    let lane = fenced(&mark).await;
    let mut running = lane.start(spec("reap-held", &tree)).await.expect("starts");
    let mut process = running.exec(sh("echo up; until [ -e go ]; do sleep 0.05; done", &tree)).await.expect("runs");
    until(&mut process, "up").await;

    let reaped = lane.reap(Doubt::Leave).await.expect("asked");
    assert!(reaped.removed.is_empty(), "{reaped:?}");
    assert_eq!((reaped.left.len(), reaped.left[0].why.as_str()), (1, "this process holds it"));
    assert_eq!(containers(&dead).await.len(), 1, "it has not the lane's labels");

    let all = DockerSandbox::connect(DockerOptions::new(IMAGE).label("orphan", dead.as_str())).await.expect("connects");
    let reaped = all.reap(Doubt::Leave).await.expect("asked");
    assert_eq!(reaped.removed.len(), 1, "{reaped:?}");
    assert_eq!(reaped.removed[0].sandbox, dead);
    assert!(reaped.removed[0].why.contains("is gone"), "{reaped:?}");
    assert!(containers(&dead).await.is_empty());

    std::fs::write(tree.path.join("go"), "").expect("written");
    assert_eq!(listen(process).await.exit.end, End::Exited { code: 0 });
}

#[tokio::test]
async fn a_container_that_was_made_and_never_started_is_reaped_with_its_owner() {
    if lane().await.is_none() {
        return;
    }
    let mark = fresh_id("fence");
    let lease = own_lease(&mark, 1, &i32::MAX.to_string()).await;
    half_made(&mark, &[("hedgerow.lease", &lease)]).await;
    let reaped = fenced(&mark).await.reap(Doubt::Leave).await.expect("asked");
    assert_eq!((reaped.removed.len(), reaped.left.len()), (1, 0), "{reaped:?}");
    assert!(marked(&mark).await.is_empty());
}

#[tokio::test]
async fn an_owner_that_cannot_be_judged_is_left_alone_until_the_caller_says_so() {
    if lane().await.is_none() {
        return;
    }
    let mark = fresh_id("fence");
    let other_namespace = own_lease(&mark, 3, "1").await;
    let other_machine = own_lease(&mark, 5, "0123456789abcdef").await.replace("-same", "-unknown");
    let other_clock = own_lease(&mark, 4, "1").await;
    half_made(&mark, &[("hedgerow.lease", &other_namespace)]).await;
    half_made(&mark, &[("hedgerow.lease", &other_clock)]).await;
    half_made(&mark, &[("hedgerow.lease", &other_machine)]).await;
    half_made(&mark, &[("hedgerow.lease", "not understood")]).await;
    half_made(&mark, &[]).await;
    let lane = fenced(&mark).await;
    let reaped = lane.reap(Doubt::Leave).await.expect("asked");
    assert_eq!((reaped.removed.len(), reaped.left.len()), (0, 5), "{reaped:?}");
    let whys =
        ["another namespace of processes", "the clock of another namespace", "another boot, or on another machine"];
    for why in whys.into_iter().chain(["does not say who holds it"]) {
        assert!(reaped.left.iter().any(|left| left.why.contains(why)), "{why}: {reaped:?}");
    }
    let reaped = lane.reap(Doubt::Remove).await.expect("asked");
    assert_eq!((reaped.removed.len(), reaped.left.len()), (5, 0), "{reaped:?}");
    assert!(marked(&mark).await.is_empty());
}

#[tokio::test]
async fn an_earlier_boot_of_the_same_machine_is_proof_enough() {
    if lane().await.is_none() {
        return;
    }
    let mark = fresh_id("fence");
    let earlier = own_lease(&mark, 5, "0123456789abcdef").await;
    half_made(&mark, &[("hedgerow.lease", &earlier)]).await;
    let reaped = fenced(&mark).await.reap(Doubt::Leave).await.expect("asked");
    if earlier.ends_with("-same") {
        assert_eq!((reaped.removed.len(), reaped.left.len()), (1, 0), "{reaped:?}");
    } else {
        // The engine's socket is passed on by something that is no engine.
        assert_eq!((reaped.removed.len(), reaped.left.len()), (0, 1), "{reaped:?}");
        let _removed = fenced(&mark).await.reap(Doubt::Remove).await.expect("asked");
    }
}

#[tokio::test]
async fn what_was_taken_over_belongs_to_who_took_it() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let id = orphan("taken", &tree, "echo up; until [ -e go ]; do sleep 0.05; done", Duration::from_secs(300)).await;
    let mut running = lane.adopt(&id).await.expect("asked").expect("it runs");
    let process = running.resume().await.expect("resumed").expect("a command");
    // The label still names the one who died.
    let other = DockerSandbox::connect(DockerOptions::new(IMAGE).label("orphan", id.as_str())).await.expect("connects");
    let reaped = other.reap(Doubt::Remove).await.expect("asked");
    assert_eq!((reaped.removed.len(), reaped.left.len()), (0, 1), "{reaped:?}");
    std::fs::write(tree.path.join("go"), "").expect("written");
    assert!(listen(process).await.exit.success());
    gone(&id).await;
}

#[tokio::test]
async fn a_sandbox_whose_owner_is_alive_is_neither_taken_over_nor_reaped() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let spec = spec("alive", &tree);
    let id = spec.id.clone();
    let mut running = lane.start(spec).await.expect("starts");
    let mut process = running.exec(sh("echo up; sleep 300", &tree)).await.expect("runs");
    until(&mut process, "up").await;
    // As if another process that is alive, the first of this system, had taken it over.
    let docker = engine().await;
    let container = containers(&id).await.remove(0);
    let found = docker.inspect_container(&container, None).await.expect("inspected");
    let name = found.name.expect("a name").trim_start_matches('/').to_owned();
    let labels = found.config.expect("config").labels.expect("labels");
    let mut parts: Vec<_> = labels["hedgerow.lease"].split('-').map(str::to_owned).collect();
    let parent = std::os::unix::process::parent_id();
    let stat = std::fs::read_to_string(format!("/proc/{parent}/stat")).expect("stat");
    let began = stat.rsplit_once(") ").expect("a name").1.split(' ').nth(19).expect("a time").to_owned();
    (parts[0], parts[1], parts[2]) = ("2".into(), parent.to_string(), began);
    let taken = format!("{name}.taken-{}", parts.join("-"));
    let rename = RenameContainerOptionsBuilder::default().name(&taken).build();
    docker.rename_container(&container, rename).await.expect("renamed");

    let other = DockerSandbox::connect(DockerOptions::new(IMAGE)).await.expect("connects");
    let error = other.adopt(&id).await.expect_err("held");
    assert!(matches!(error, Error::InvalidSpec { .. }), "{error}");
    assert!(error.to_string().contains(&format!("process {parent} holds it and is alive")), "{error}");
    let marked =
        DockerSandbox::connect(DockerOptions::new(IMAGE).label("hedgerow-test", "alive")).await.expect("connects");
    let reaped = marked.reap(Doubt::Leave).await.expect("asked");
    assert!(reaped.left.iter().any(|left| left.sandbox == id && left.why.contains("is alive")), "{reaped:?}");
    remove(&container).await;
    drop(process);
    running.stop(Duration::ZERO).await.expect("stops");
}
