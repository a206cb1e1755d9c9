//! What containers that are kept ready have in common; pure.

use std::collections::HashMap;

use bollard::models::ContainerCreateBody;

use crate::{Command, Result, Spec};

use super::super::probe::Facts;
use super::super::{config, entry, pins};
use super::lines::{NAME, SCRIPT};
use super::options::Trees;

/// The container for a sandbox before its command is known. Two sandboxes for which it is the same can use the same one: all
/// that an engine is told is in it, but for what comes with the command.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) body: ContainerCreateBody,
    trees: Trees,
}

impl Shape {
    pub(super) fn new(spec: &Spec, facts: &Facts, user: (u32, u32), trees: Trees) -> Result<Self> {
        // With input, so that its standard input is open.
        let waiting = Command::new("/bin/sh", "/").stdin("told later");
        let mut body = config::container(spec, &waiting, facts, user, HashMap::new())?;
        body.entrypoint = Some(["/bin/sh", "-c", SCRIPT, NAME].map(str::to_owned).to_vec());
        body.cmd = Some(Vec::new());
        if let Some(host) = &mut body.host_config {
            let tmpfs = host.tmpfs.get_or_insert_default();
            // Which secrets there will be is not known yet.
            tmpfs.insert(entry::SECRETS.to_owned(), config::secrets_in_memory(user));
            if trees == Trees::Added {
                host.mounts = None;
                for (place, _) in pins::in_memory(spec, &facts.image.volumes) {
                    tmpfs.remove(&place);
                }
            }
        }
        Ok(Self { body, trees })
    }

    /// What of it another sandbox would need in another way.
    pub(super) fn difference(&self, wanted: &Self) -> &'static str {
        let (ours, theirs) = (&self.body, &wanted.body);
        let empty = Default::default();
        let (ours_host, theirs_host) =
            (ours.host_config.as_ref().unwrap_or(&empty), theirs.host_config.as_ref().unwrap_or(&empty));
        if ours.user != theirs.user {
            "its user, the owner of its first writable mount"
        } else if ours_host.network_mode != theirs_host.network_mode || ours.env != theirs.env {
            "its network"
        } else if ours_host.tmpfs != theirs_host.tmpfs {
            "its directories in memory: the limit of their size, or a home or mount that takes their place"
        } else if ours_host.mounts != theirs_host.mounts {
            "its mounts"
        } else {
            "its limits"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Labels, Mount, Network, Policy, SandboxId};

    fn spec(source: &str) -> Spec {
        let mount = Mount { source: source.into(), target: source.into(), access: Access::ReadWrite };
        let id = SandboxId::new("s").expect("valid");
        Spec { id, labels: Labels::new(), policy: Policy::standard(), mounts: vec![mount], home: None }
    }

    fn shape(spec: &Spec, trees: Trees) -> Shape {
        Shape::new(spec, &Facts::default(), (1, 2), trees).expect("a shape")
    }

    #[test]
    fn trees_that_are_added_later_make_no_difference_and_trees_that_are_there_do() {
        for (one, other) in [("/srv/one", "/srv/other"), ("/srv/one", "/tmp/a/b/tree")] {
            assert_eq!(shape(&spec(one), Trees::Added), shape(&spec(other), Trees::Added));
            assert_ne!(shape(&spec(one), Trees::Fixed), shape(&spec(other), Trees::Fixed));
        }
        let found = shape(&spec("/srv/one"), Trees::Fixed).difference(&shape(&spec("/srv/two"), Trees::Fixed));
        assert_eq!(found, "its mounts");
    }

    #[test]
    fn everything_else_that_an_engine_is_told_makes_a_difference() {
        let ours = shape(&spec("/srv/one"), Trees::Added);
        type Change = fn(&mut Spec);
        let changes: [(&str, Change); 8] = [
            ("limits", |s| s.policy.limits.memory = Some(1 << 20)),
            ("limits", |s| s.policy.limits.pids = Some(7)),
            ("limits", |s| s.policy.limits.cpu_millis = Some(7)),
            ("limits", |s| s.policy.limits.disk = Some(7)),
            ("limits", |s| s.policy.limits.output = 64 << 20),
            ("memory", |s| s.policy.limits.tmp = 7),
            ("memory", |s| s.home = Some("/srv/home".into())),
            ("network", |s| s.policy.network = Network::Host),
        ];
        for (word, change) in changes {
            let mut spec = spec("/srv/one");
            change(&mut spec);
            let theirs = shape(&spec, Trees::Added);
            assert_ne!(ours, theirs, "{word}");
            assert!(ours.difference(&theirs).contains(word), "{word}: {}", ours.difference(&theirs));
        }
        let other = Shape::new(&spec("/srv/one"), &Facts::default(), (1, 3), Trees::Added).expect("a shape");
        assert!(ours.difference(&other).contains("user"));
        let image = crate::docker::image::Image { id: "sha256:other".into(), ..Default::default() };
        let facts = Facts { image, ..Facts::default() };
        assert_ne!(ours, Shape::new(&spec("/srv/one"), &facts, (1, 2), Trees::Added).expect("a shape"));
    }

    #[test]
    fn nothing_of_a_sandbox_is_in_it() {
        let mut with = spec("/srv/one");
        with.id = SandboxId::new("another").expect("valid");
        with.labels = [("task".to_owned(), "t".to_owned())].into();
        let body = shape(&with, Trees::Added).body;
        let text = serde_json::to_string(&body).expect("text");
        assert!(!text.contains("another") && !text.contains("task") && !text.contains("/srv"), "{text}");
        assert_eq!(body, shape(&spec("/srv/two"), Trees::Added).body);
    }
}
