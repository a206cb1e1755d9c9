//! A look from inside confirms what a lane enforces, and contradicts what it only says.

use hedgerow_sandbox::conformance::Scripted;
use hedgerow_sandbox::verify::{Seen, verify};
use hedgerow_sandbox::{Access, Coverage, Guarantee, HostSandbox, Mount, Policy, Sandbox};

use crate::world::{open, spec, start};

/// What can be seen by looking.
const VISIBLE: [Guarantee; 10] = [
    Guarantee::ProcessIsolation,
    Guarantee::NoHostWrites,
    Guarantee::NoHostReads,
    Guarantee::NoNetwork,
    Guarantee::Egress,
    Guarantee::PinnedMounts,
    Guarantee::NoPrivilegeGain,
    Guarantee::SyscallFilter,
    Guarantee::NoDevices,
    Guarantee::WallTime,
];

#[cfg(feature = "native")]
#[tokio::test]
async fn the_native_lane_is_what_it_says() {
    let Some(lane) = crate::world::native() else { return };
    let (tree, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(tree.path().join("a/b")).unwrap();
    let mut spec = spec(Policy::standard());
    spec.mounts = vec![
        Mount { source: tree.path().into(), target: tree.path().into(), access: Access::ReadWrite },
        Mount { source: other.path().into(), target: tree.path().join("a/b"), access: Access::ReadOnly },
    ];
    let mut running = start(&lane, spec.clone()).await;
    let found = verify(&lane, &spec, &mut *running).await.unwrap();
    assert_eq!(found.contradictions().collect::<Vec<_>>(), [] as [&hedgerow_sandbox::verify::Finding; 0]);
    for guarantee in VISIBLE {
        assert_eq!(found.of(guarantee), Some(&Seen::Confirmed), "{guarantee}");
    }
    assert_eq!(found.findings.len(), Guarantee::ALL.len());
    assert!(matches!(found.of(Guarantee::Memory), Some(Seen::NotChecked(_))));
}

#[tokio::test]
async fn without_isolation_the_same_look_sees_the_host() {
    let lane = HostSandbox::new().unwrap();
    let wanted = open();
    let mut running = start(&lane, wanted.clone()).await;
    let found = verify(&lane, &wanted, &mut *running).await.unwrap();
    for guarantee in [Guarantee::ProcessIsolation, Guarantee::NoHostReads, Guarantee::NoHostWrites] {
        assert!(matches!(found.of(guarantee), Some(Seen::Contradicted(_))), "{guarantee}: {:?}", found.of(guarantee));
    }
    assert_eq!(found.of(Guarantee::WallTime), Some(&Seen::Confirmed));
    // It claims none of that.
    assert_eq!(found.contradictions().count(), 0);
    let ours = format!("hedgerow-verify-{}-", std::process::id());
    let left = || std::fs::read_dir("/tmp").unwrap().flatten().map(|file| file.file_name().display().to_string());
    // Other tests look at the same time.
    crate::world::eventually("its file is gone", || !left().any(|name| name.starts_with(&ours)));
}

/// A lane that claims everything and runs on the host.
#[derive(Debug)]
struct Liar(HostSandbox);

#[async_trait::async_trait]
impl Sandbox for Liar {
    fn name(&self) -> &'static str {
        "liar"
    }
    fn coverage(&self, _: Guarantee) -> Coverage {
        Coverage::Enforced
    }
    async fn start(
        &self,
        mut spec: hedgerow_sandbox::Spec,
    ) -> hedgerow_sandbox::Result<Box<dyn hedgerow_sandbox::Running>> {
        spec.policy = Policy::open();
        self.0.start(spec).await
    }
    async fn adopt(
        &self,
        _: &hedgerow_sandbox::SandboxId,
    ) -> hedgerow_sandbox::Result<Option<Box<dyn hedgerow_sandbox::Running>>> {
        Ok(None)
    }
    async fn list(&self, _: &hedgerow_sandbox::Labels) -> hedgerow_sandbox::Result<Vec<hedgerow_sandbox::SandboxId>> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_lane_that_lies_is_found_out() {
    let lane = Liar(HostSandbox::new().unwrap());
    let wanted = spec(Policy::standard());
    let mut running = start(&lane, wanted.clone()).await;
    let found = verify(&lane, &wanted, &mut *running).await.unwrap();
    let contradicted: Vec<_> = found.contradictions().map(|finding| finding.guarantee).collect();
    for guarantee in [Guarantee::ProcessIsolation, Guarantee::NoHostReads, Guarantee::NoHostWrites] {
        assert!(contradicted.contains(&guarantee), "{contradicted:?}");
    }
}

#[tokio::test]
async fn where_there_is_no_shell_nothing_is_confirmed() {
    let lane = Scripted.lane();
    let wanted = open();
    let mut running = start(&lane, wanted.clone()).await;
    let found = verify(&lane, &wanted, &mut *running).await.unwrap();
    assert!(found.findings.iter().all(|finding| matches!(finding.seen, Seen::NotChecked(_))), "{found:?}");
}
