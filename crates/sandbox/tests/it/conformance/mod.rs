//! The rules for implementors hold for the lanes of this crate, and find what is wrong with broken ones.

mod broken;

use std::sync::Arc;

use async_trait::async_trait;
use hedgerow_sandbox::conformance::{self, Report, Scripted, Shell};
use hedgerow_sandbox::{Coverage, Guarantee, HostSandbox, Labels, Result, Running, Sandbox, SandboxId, Spec};

/// A lane that several checks share.
#[derive(Debug)]
pub(crate) struct Shared<S>(pub(crate) Arc<S>);

#[async_trait]
impl<S: Sandbox> Sandbox for Shared<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        self.0.coverage(guarantee)
    }
    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        self.0.start(spec).await
    }
    async fn adopt(&self, id: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        self.0.adopt(id).await
    }
    async fn list(&self, labels: &Labels) -> Result<Vec<SandboxId>> {
        self.0.list(labels).await
    }
}

/// The names of what was not checked.
fn unchecked(report: &Report) -> Vec<&'static str> {
    report.not_checked.iter().map(|finding| finding.rule).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_lane_keeps_every_rule() {
    let report = conformance::check(Shell, async || HostSandbox::new().unwrap()).await;
    report.assert();
    // It isolates nothing.
    assert_eq!(unchecked(&report), ["a-read-only-mount-stays-as-it-is"], "{report}");
}

#[cfg(feature = "native")]
#[tokio::test(flavor = "multi_thread")]
async fn the_native_lane_keeps_every_rule() {
    let Some(lane) = crate::world::native() else { return };
    let lane = Arc::new(lane);
    let report = conformance::check(Shell, async || Shared(Arc::clone(&lane))).await;
    report.assert();
    // Where nothing is covered in part, there is nothing to consent to.
    assert!(unchecked(&report).iter().all(|rule| *rule == "what-is-covered-in-part-needs-consent"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_keeps_every_rule_that_takes_no_files() {
    let lane = || {
        let lane = Scripted.lane();
        lane.cover(Guarantee::Disk, Coverage::Unenforced("a fake has no disk".into()));
        lane.cover(Guarantee::Memory, Coverage::Partial("a fake has little memory".into()));
        lane
    };
    let report = conformance::check(Scripted, async || lane()).await;
    report.assert();
    assert_eq!(report.kept.len() + report.not_checked.len(), conformance::rules().len());
    assert!(report.not_checked.iter().all(|finding| finding.found.contains("no program")), "{report}");
    assert!(report.not_checked.len() < 8, "{report}");
}
