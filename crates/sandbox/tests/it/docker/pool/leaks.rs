//! When a container that is to be kept ready cannot be made, or one that was cannot be removed.

use std::time::Duration;

use bollard::query_parameters::KillContainerOptionsBuilder;
use hedgerow_sandbox::{DockerOptions, DockerSandbox, Doubt, Trees, Warm};

use super::super::{contact::Line, tree};
use super::{IMAGE, engine, fenced, fresh_id, lane, marked, none_left, spec};

fn fixed(tree: &super::Tree) -> Warm {
    Warm::like(spec("pattern", tree), 1).trees(Trees::Fixed)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_for_one_kind_does_not_stay_when_the_next_one_cannot_be_made() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = fenced(&mark).await else { return };
    let mut tiny = spec("tiny", &tree);
    // Less than any engine takes.
    tiny.policy.limits.memory = Some(4096);
    let tiny = Warm::like(tiny, 1).trees(Trees::Fixed);
    let error = lane.clone().warm([fixed(&tree), tiny]).await.expect_err("no engine makes it").to_string();
    assert!(error.contains("kept ready"), "{error}");
    none_left(&mark).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_removed_while_the_engine_is_away_is_removed_when_it_is_back() {
    let (mark, tree) = (fresh_id("fence"), tree());
    if lane().await.is_none() {
        return;
    }
    let line = Line::new();
    let options = DockerOptions::new(IMAGE).socket(&line.path).label("fence", mark.as_str());
    let options = options.patience(Duration::from_millis(100));
    let lane = DockerSandbox::connect(options).await.expect("connects");
    let lane = lane.warm([fixed(&tree)]).await.expect("warm");
    line.cut_for_good();
    // No error when it was already seen to be of no use, and is being removed for that.
    let _either = lane.cool().await;
    assert_eq!(marked(&mark).await.len(), 1);
    line.mend();
    none_left(&mark).await;
    let reaped = lane.reap(Doubt::Leave).await.expect("asked");
    assert!(reaped.removed.is_empty() && reaped.left.is_empty(), "{reaped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_cannot_be_made_any_more_starves_no_other() {
    let (mark, gone, tree) = (fresh_id("fence"), tree(), tree());
    let Some(lane) = fenced(&mark).await else { return };
    let lane = lane.warm([fixed(&gone), fixed(&tree)]).await.expect("warm");
    // Their names count up.
    let mut waiting: Vec<_> = marked(&mark).await.into_iter().filter_map(|c| c.names?.pop()).collect();
    waiting.sort();
    std::fs::remove_dir_all(&gone.path).expect("removed");
    kill(&waiting[0]).await;
    until(|| lane.warmth()[0].failed.is_some()).await;
    kill(&waiting[1]).await;
    until(|| lane.warmth()[1].ready == 0).await;
    until(|| lane.warmth()[1].ready == 1).await;
    assert!(lane.warmth()[0].failed.is_some() && lane.warmth()[0].ready == 0, "{:?}", lane.warmth());
    lane.cool().await.expect("removed");
    none_left(&mark).await;
}

async fn kill(name: &str) {
    let kill = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
    engine().await.kill_container(name.trim_start_matches('/'), Some(kill)).await.expect("killed");
}

async fn until(so: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came so");
}
