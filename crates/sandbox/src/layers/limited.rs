//! A lane in which nothing gets more than given limits.

use async_trait::async_trait;

use crate::{Coverage, Guarantee, Labels, Limits, Result, Running, Sandbox, SandboxId, Spec};

/// A lane in which every sandbox has at most these limits, whatever its policy asks for.
///
/// Where the ceiling has no limit, that of the policy stays. Whether a limit is enforced is the lane's to say, as always:
/// a ceiling requires nothing.
#[derive(Debug)]
pub struct Limited<S> {
    inner: S,
    ceiling: Limits,
}

impl<S: Sandbox> Limited<S> {
    /// The lane `inner`, under this ceiling.
    pub fn new(inner: S, ceiling: Limits) -> Self {
        Self { inner, ceiling }
    }
}

impl Limits {
    /// The stricter one of two, limit by limit.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
            a.into_iter().chain(b).min()
        }
        Self {
            memory: least(self.memory, other.memory),
            cpu_millis: least(self.cpu_millis, other.cpu_millis),
            pids: least(self.pids, other.pids),
            disk: least(self.disk, other.disk),
            tmp: self.tmp.min(other.tmp),
            output: self.output.min(other.output),
            overflow: self.overflow.max(other.overflow),
        }
    }
}

#[async_trait]
impl<S: Sandbox> Sandbox for Limited<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        self.inner.coverage(guarantee)
    }

    async fn start(&self, mut spec: Spec) -> Result<Box<dyn Running>> {
        spec.policy.limits = spec.policy.limits.min(self.ceiling);
        self.inner.start(spec).await
    }

    async fn adopt(&self, id: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        self.inner.adopt(id).await
    }

    async fn list(&self, labels: &Labels) -> Result<Vec<SandboxId>> {
        self.inner.list(labels).await
    }
}
