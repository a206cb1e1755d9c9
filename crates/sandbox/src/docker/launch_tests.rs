use super::*;
use crate::{Labels, Mount, SandboxId};

fn spec(mounts: &[(&str, &str)], home: Option<&str>) -> Spec {
    let mount = |(source, target): &(&str, &str)| Mount {
        source: source.into(),
        target: target.into(),
        access: Access::ReadWrite,
    };
    Spec {
        id: SandboxId::new("s").expect("valid"),
        labels: Labels::new(),
        policy: Policy::strict(),
        mounts: mounts.iter().map(mount).collect(),
        home: home.map(Into::into),
    }
}

fn at(spec: &Spec, workdir: &str) -> Place {
    place(spec, Path::new(workdir))
}

#[test]
fn a_working_directory_is_looked_for_in_the_deepest_mount() {
    let spec = spec(&[("/a", "/w"), ("/b", "/w/sub"), ("/c", "/tmp/deep/tree")], Some("/h"));
    assert_eq!(at(&spec, "/w"), Place::Mounted("/a".into()));
    assert_eq!(at(&spec, "/w/x"), Place::Mounted("/a/x".into()));
    assert_eq!(at(&spec, "/w/sub/y"), Place::Mounted("/b/y".into()));
    assert_eq!(at(&spec, "/tmp/deep/tree"), Place::Mounted("/c".into()));
    assert_eq!(at(&spec, "/home/agent"), Place::Mounted("/h".into()));
    assert_eq!(at(&spec, "/usr"), Place::Image);
}

#[test]
fn nothing_is_below_a_directory_that_is_made_empty_for_each_command() {
    let spec = spec(&[("/c", "/tmp/deep/tree")], None);
    assert_eq!(at(&spec, "/tmp"), Place::Fresh);
    assert_eq!(at(&spec, "/home/agent"), Place::Fresh);
    assert_eq!(at(&spec, "/tmp/other"), Place::Missing);
    assert_eq!(at(&spec, "/tmp/deep"), Place::Fresh);
}

#[test]
fn a_limit_that_the_engine_discards_at_the_last_moment_is_a_refusal() {
    let coverage = super::super::probe::EngineCoverage { memory: true, swap: true, ..Default::default() };
    let facts = Facts { cores: 1, coverage, ..Facts::default() };
    let warning = ["Your kernel does not support memory limit capabilities. Limitation discarded.".to_owned()];
    let refused = discarded(&Policy::standard(), &facts, &warning).expect_err("refused");
    assert!(matches!(refused, Error::Refused { .. }), "{refused}");
    discarded(&Policy::open(), &facts, &warning).expect("nothing required");
    discarded(&Policy::strict(), &facts, &[]).expect("nothing said");
}
