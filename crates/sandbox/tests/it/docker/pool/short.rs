//! When there is none for a command.

use hedgerow_sandbox::{DockerOptions, DockerSandbox, Error, Sandbox, Start, Warm};
use tokio::task::JoinSet;

use super::super::{sh, spec, tree};
use super::{fresh_id, run, warm};

fn why(start: &Start) -> &str {
    match start {
        Start::Cold(why) => why,
        other => panic!("it started {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_at_once_share_three_and_all_run() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &tree, 3).await else { return };
    let mut all = JoinSet::new();
    for number in 0..8 {
        let (lane, spec) = (lane.clone(), spec("many", &tree));
        let command = sh(&format!("echo {number} > {number}; cat {number}"), &tree);
        all.spawn(async move { (number, run(&lane, spec, command).await) });
    }
    let all = all.join_all().await;
    for (number, (start, said)) in &all {
        assert_eq!(said.out(), format!("{number}\n"), "{said:?}");
        assert!(*start == Start::Warm || why(start).contains("have been claimed"), "{start:?}");
    }
    let warm = all.iter().filter(|(_, (start, _))| *start == Start::Warm).count();
    assert!((3..8).contains(&warm), "{warm} of 8 were warm");
    lane.cool().await.expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_policy_gets_a_container_of_its_own_and_hears_why() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &tree, 1).await else { return };
    let mut other = spec("other", &tree);
    other.policy.limits.memory = Some(100 << 20);
    let script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max";
    let (start, said) = run(&lane, other, sh(script, &tree)).await;
    assert!(why(&start).contains("its limits"), "{start:?}");
    assert_eq!(said.out(), format!("{}\n", 100 << 20));
    let mut other = spec("other", &tree);
    other.home = Some(tree.path.clone());
    let (start, _) = run(&lane, other, sh("true", &tree)).await;
    assert!(why(&start).contains("a home"), "{start:?}");
    let strange = hedgerow_sandbox::Command::new("env", &tree.path).env("A.B", "given");
    let (start, said) = run(&lane, spec("strange", &tree), strange).await;
    assert!(why(&start).contains("a variable") && said.out().contains("A.B=given\n"), "{start:?} {said:?}");
    assert_eq!((lane.warmth()[0].ready, lane.warmth()[0].claimed), (1, 0));
    lane.cool().await.expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_a_shell_is_refused_before_anything_is_kept() {
    if super::lane().await.is_none() || !super::is_root() {
        return;
    }
    let docker = super::engine().await;
    let name = format!("{}:1", fresh_id("no-shell"));
    super::super::image::imported(&docker, "empty", &name).await;
    let lane = DockerSandbox::connect(DockerOptions::new(&name)).await.expect("connects");
    let tree = tree();
    let error = lane.warm([Warm::like(spec("pattern", &tree), 1)]).await.expect_err("it has no shell");
    assert!(matches!(error, Error::Unavailable { .. }) && error.to_string().contains("/bin/sh"), "{error}");
    super::super::image::forget(&docker, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_moved_is_not_run_by_what_was_ready_for_another() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &tree, 1).await else { return };
    let docker = super::engine().await;
    let repo = fresh_id("moving");
    let options = bollard::query_parameters::CommitContainerOptionsBuilder::default();
    let waiting = super::marked(&mark).await.remove(0).id.expect("an id");
    let commit = options.container(&waiting).repo(repo.as_str()).tag("1").build();
    docker.commit_container(commit, bollard::models::ContainerConfig::default()).await.expect("another image");
    let moved = DockerOptions::new(format!("{repo}:1")).label("fence", mark.as_str());
    let moved = DockerSandbox::connect(moved).await.expect("connects");
    assert_ne!(moved.image(), lane.image());
    let moved = moved.warm([Warm::like(spec("pattern", &tree), 1)]).await.expect("warm");
    for of in [&lane, &moved] {
        super::ready(of, 1).await;
        let mut running = of.start(spec("moved", &tree)).await.expect("starts");
        let mut process = running.exec(sh("echo up; sleep 300", &tree)).await.expect("runs");
        assert_eq!(process.start(), &Start::Warm);
        super::super::until(&mut process, "up").await;
        let claimed = super::marked(&mark)
            .await
            .into_iter()
            .filter(|container| container.names.iter().flatten().any(|name| name.contains("moved")));
        let images: Vec<_> = claimed.filter_map(|container| container.image_id).collect();
        assert_eq!(images, [of.image().to_owned()]);
        drop(process);
        running.stop(std::time::Duration::ZERO).await.expect("stopped");
    }
    moved.cool().await.expect("removed");
    lane.cool().await.expect("removed");
    super::none_left(&mark).await;
    super::super::image::forget(&docker, &format!("{repo}:1")).await;
}
