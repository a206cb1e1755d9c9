//! The rules for implementors hold in containers that were ready.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hedgerow_sandbox::{
    Access, Coverage, DockerSandbox, Guarantee, Labels, Mount, Policy, Result, Running, Sandbox, SandboxId, Spec, Warm,
};

use super::{fresh_id, warm_for};
use crate::docker::conformance::every_rule_is_kept;

/// A lane that starts nothing while it has nothing ready.
#[derive(Debug)]
struct Patient(Arc<DockerSandbox>);

#[async_trait]
impl Sandbox for Patient {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        self.0.coverage(guarantee)
    }
    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        for _ in 0..600 {
            if self.0.warmth().iter().all(|kind| kind.ready > 1) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.0.start(spec).await
    }
    async fn adopt(&self, id: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        self.0.adopt(id).await
    }
    async fn list(&self, labels: &Labels) -> Result<Vec<SandboxId>> {
        self.0.list(labels).await
    }
}

/// What the rules ask for: nothing mounted, a directory of ours, and the same as a home.
fn kinds(place: &std::path::Path) -> Vec<Warm> {
    let policy = Policy { required: [].into(), ..Policy::open() };
    let bare = Spec { id: fresh_id("pattern"), labels: Labels::new(), policy, mounts: Vec::new(), home: None };
    let mount = Mount { source: place.into(), target: place.into(), access: Access::ReadWrite };
    let with_directory = Spec { mounts: vec![mount], ..bare.clone() };
    [bare, with_directory].map(|pattern| Warm::like(pattern, 3)).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_that_were_ready_keep_every_rule() {
    let (mark, directory) = (fresh_id("fence"), tempfile::tempdir().expect("directory"));
    let Some(lane) = warm_for(&mark, kinds(directory.path()), 3).await else { return };
    let lane = Arc::new(lane);
    every_rule_is_kept(|| Patient(Arc::clone(&lane)), 3).await;
    // The rules with limits of their own start cold; it would prove nothing if most did.
    let warmth = lane.warmth();
    assert!(warmth[0].claimed > 25 && warmth[1].claimed > 5, "{warmth:?}");
    lane.cool().await.expect("removed");
}
