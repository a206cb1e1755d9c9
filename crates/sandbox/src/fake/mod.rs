//! A lane without programs, for the tests of programs that embed this crate.

mod play;
mod running;
mod script;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{Command, Coverage, Error, Guarantee, Labels, Result, Running, Sandbox, SandboxId, Spec, check};
use running::FakeRunning;

pub use script::{OnStop, Script};

const LANE: &str = "fake";

/// A lane whose commands are scripts: nothing is run, but output, deadlines, stops and ends are as in any lane.
///
/// A function says what each command does. What it should not do can be made to fail. It takes a Tokio runtime with time
/// enabled, and works with paused time, so that an hour of an agent takes no time in a test.
///
/// It claims to enforce everything unless it is told otherwise, and enforces nothing: there is nothing to enforce it on.
/// Clones are the same lane.
#[derive(Clone, Debug)]
pub struct FakeSandbox {
    inner: Arc<Inner>,
}

/// What says what each command does.
type Programs = dyn Fn(&Spec, &Command) -> Script + Send + Sync;

struct Inner {
    programs: Box<Programs>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    coverage: BTreeMap<Guarantee, Coverage>,
    failures: VecDeque<(Call, Error)>,
    sandboxes: BTreeMap<SandboxId, Labels>,
    left: BTreeMap<SandboxId, (Spec, Option<(Command, Script)>)>,
    started: Vec<Spec>,
    commands: Vec<(SandboxId, Command)>,
}

/// A method of [`Sandbox`] or [`Running`] that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// [`Sandbox::start`].
    Start,
    /// [`Sandbox::adopt`].
    Adopt,
    /// [`Sandbox::list`].
    List,
    /// [`Running::exec`].
    Exec,
    /// [`Running::resume`].
    Resume,
    /// [`Running::usage`].
    Usage,
    /// [`Running::stop`]; the sandbox is listed afterwards.
    Stop,
}

impl FakeSandbox {
    /// A lane in which `programs` says what each command does.
    pub fn new(programs: impl Fn(&Spec, &Command) -> Script + Send + Sync + 'static) -> Self {
        let inner = Inner { programs: Box::new(programs), state: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// A lane in which every command does this.
    pub fn of(script: Script) -> Self {
        Self::new(move |_, _| script.clone())
    }

    /// From now on, the lane says this of a guarantee.
    pub fn cover(&self, guarantee: Guarantee, coverage: Coverage) {
        self.lock().coverage.insert(guarantee, coverage);
    }

    /// Makes the next call of this method fail with this error, before it does anything.
    ///
    /// Several failures of one method come in their order, one for each call.
    pub fn fail_next(&self, call: Call, error: Error) {
        self.lock().failures.push_back((call, error));
    }

    /// Leaves a sandbox behind as an earlier process would, to be listed and adopted; with the command that is underway in
    /// it, if there is one.
    pub fn leave_behind(&self, spec: Spec, underway: Option<(Command, Script)>) {
        self.lock().left.insert(spec.id.clone(), (spec, underway));
    }

    /// All sandboxes that were started, in order.
    pub fn started(&self) -> Vec<Spec> {
        self.lock().started.clone()
    }

    /// All commands that were run, in order, each with its sandbox.
    pub fn commands(&self) -> Vec<(SandboxId, Command)> {
        self.lock().commands.clone()
    }

    fn failure(&self, call: Call) -> Result<()> {
        let failures = &mut self.lock().failures;
        let next = failures.iter().position(|(of, _)| *of == call);
        next.and_then(|next| failures.remove(next)).map_or(Ok(()), |(_, error)| Err(error))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Sandbox for FakeSandbox {
    fn name(&self) -> &'static str {
        LANE
    }

    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        self.lock().coverage.get(&guarantee).cloned().unwrap_or(Coverage::Enforced)
    }

    async fn start(&self, spec: Spec) -> Result<Box<dyn Running>> {
        self.failure(Call::Start)?;
        check::policy(LANE, self, &spec.policy)?;
        check::mounts(&spec)?;
        let mut state = self.lock();
        if state.sandboxes.contains_key(&spec.id) || state.left.contains_key(&spec.id) {
            let problem = "there is a sandbox of this id already".into();
            return Err(Error::InvalidSpec { what: format!("sandbox {}", spec.id), problem });
        }
        state.sandboxes.insert(spec.id.clone(), spec.labels.clone());
        state.started.push(spec.clone());
        drop(state);
        Ok(Box::new(FakeRunning::new(self.clone(), spec, None)))
    }

    async fn adopt(&self, id: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        self.failure(Call::Adopt)?;
        let mut state = self.lock();
        let Some((spec, underway)) = state.left.remove(id) else { return Ok(None) };
        state.sandboxes.insert(id.clone(), spec.labels.clone());
        drop(state);
        Ok(Some(Box::new(FakeRunning::new(self.clone(), spec, underway))))
    }

    async fn list(&self, labels: &Labels) -> Result<Vec<SandboxId>> {
        self.failure(Call::List)?;
        let state = self.lock();
        let left = state.left.iter().map(|(id, (spec, _))| (id, &spec.labels));
        let carries = |own: &Labels| labels.iter().all(|(key, value)| own.get(key) == Some(value));
        let all = state.sandboxes.iter().chain(left).filter(|(_, own)| carries(own));
        Ok(all.map(|(id, _)| id.clone()).collect())
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("state", &self.state).finish_non_exhaustive()
    }
}
