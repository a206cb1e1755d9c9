//! Every rule finds the lane that breaks it: each of these is the host lane with one fault.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hedgerow_sandbox::conformance::{self, Shell, Verdict};
use hedgerow_sandbox::{
    Command, Coverage, End, Error, Exit, Feed, Guarantee, HostSandbox, Labels, Output, Process, Result, Running,
    Sandbox, SandboxId, Spec, Stopped, Stream, Usage,
};
use tokio::task::JoinSet;

/// What is wrong, by the rule that it breaks.
const FAULTS: [(&str, Fault); 38] = [
    ("what-is-not-enforced-is-refused", Fault::StartsAnything),
    ("what-is-covered-in-part-needs-consent", Fault::StartsAnything),
    ("a-contradiction-is-refused", Fault::StartsAnything),
    ("a-mount-that-cannot-be-is-refused", Fault::LeavesOutMounts),
    ("a-command-that-cannot-be-is-refused", Fault::RunsSomethingElse),
    ("a-program-that-is-not-there-is-named", Fault::FailsByItself),
    ("an-exit-status-is-told", Fault::Tells(|_| End::Exited { code: 0 })),
    ("a-signal-is-told", Fault::Tells(|_| End::Exited { code: 137 })),
    ("a-deadline-ends-it", Fault::Tells(|_| End::Signaled { signal: 15 })),
    ("silence-ends-it", Fault::Tells(|_| End::Deadline)),
    ("a-stop-is-told", Fault::Tells(|_| End::Signaled { signal: 15 })),
    ("a-long-time-is-no-mistake", Fault::CountsTime),
    ("use-is-added-up", Fault::TakesNoTime),
    ("each-stream-arrives-whole-and-in-order", Fault::MixesStreams),
    ("output-arrives-while-it-runs", Fault::TellsAtTheEnd),
    ("too-much-output-keeps-both-ends", Fault::KeepsAllOutput),
    ("too-much-output-can-end-it", Fault::Tells(|end| if end == End::OutputLimit { End::Stopped } else { end })),
    ("a-reader-that-does-not-read-holds-up-nothing", Fault::Tells(|_| End::Stopped)),
    ("standard-input-arrives-and-ends", Fault::LosesInput),
    ("standard-input-may-be-ignored", Fault::Tells(|_| End::Signaled { signal: 13 })),
    ("the-environment-is-made-from-nothing", Fault::PassesVariables),
    ("the-working-directory-is-the-commands", Fault::StaysAtRoot),
    ("a-writable-mount-is-shared", Fault::ShowsAnotherDirectory),
    ("a-read-only-mount-stays-as-it-is", Fault::SaysThatNothingIsWritten),
    ("a-home-outlives-its-command", Fault::MakesAHomeOfItsOwn),
    ("a-daemon-dies-with-its-command", Fault::LeavesSomething),
    ("a-stop-leaves-time-for-a-goodbye", Fault::KillsAtOnce),
    ("who-defies-a-stop-is-killed", Fault::Tells(|_| End::Exited { code: 0 })),
    ("a-dropped-process-is-killed", Fault::LeavesSomething),
    ("a-stopped-sandbox-is-empty", Fault::LeavesSomething),
    ("a-lane-has-a-name", Fault::HasTwoNames),
    ("commands-run-one-after-the-other", Fault::RunsTwoAtOnce),
    ("a-stop-says-what-it-found", Fault::FindsNothing),
    ("who-was-not-adopted-resumes-nothing", Fault::ResumesAnything),
    ("a-stopped-sandbox-is-gone", Fault::ListsAnything),
    ("a-list-is-by-labels", Fault::ListsAnything),
    ("an-unknown-sandbox-is-not-adopted", Fault::FailsToAdopt),
    ("sandboxes-do-not-wait-for-each-other", Fault::HasOneSandbox),
];

#[derive(Clone, Copy, Debug)]
enum Fault {
    StartsAnything,
    LeavesOutMounts,
    RunsSomethingElse,
    FailsByItself,
    Tells(fn(End) -> End),
    CountsTime,
    TakesNoTime,
    MixesStreams,
    TellsAtTheEnd,
    KeepsAllOutput,
    LosesInput,
    PassesVariables,
    StaysAtRoot,
    ShowsAnotherDirectory,
    SaysThatNothingIsWritten,
    MakesAHomeOfItsOwn,
    LeavesSomething,
    KillsAtOnce,
    HasTwoNames,
    RunsTwoAtOnce,
    FindsNothing,
    ResumesAnything,
    ListsAnything,
    FailsToAdopt,
    HasOneSandbox,
}

#[derive(Debug)]
struct Broken {
    host: HostSandbox,
    fault: Fault,
    asked: AtomicU32,
    started: Mutex<Vec<SandboxId>>,
}

fn failed() -> Error {
    Error::Lane { action: "do its part".into(), source: "it is broken".into() }
}

#[async_trait]
impl Sandbox for Broken {
    fn name(&self) -> &'static str {
        let again = self.asked.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        if matches!(self.fault, Fault::HasTwoNames) && again { "another" } else { self.host.name() }
    }

    fn coverage(&self, guarantee: Guarantee) -> Coverage {
        match (self.fault, guarantee) {
            (Fault::SaysThatNothingIsWritten, Guarantee::NoHostWrites) => Coverage::Enforced,
            _ => self.host.coverage(guarantee),
        }
    }

    async fn start(&self, mut spec: Spec) -> Result<Box<dyn Running>> {
        let ours = spec.clone();
        match self.fault {
            Fault::StartsAnything => spec.policy.required.clear(),
            Fault::LeavesOutMounts => spec.mounts.clear(),
            Fault::KeepsAllOutput => spec.policy.limits.output = 8 << 20,
            Fault::MakesAHomeOfItsOwn => spec.home = None,
            _ => {}
        }
        let first = {
            let mut started = self.started.lock().unwrap();
            started.push(spec.id.clone());
            started.len() == 1
        };
        let inner = self.host.start(spec.clone()).await?;
        spec.id = SandboxId::new(format!("{}-more", spec.id))?;
        let more = self.host.start(spec).await?;
        Ok(Box::new(Faulty { inner, more, fault: self.fault, spec: ours, first }))
    }

    async fn adopt(&self, id: &SandboxId) -> Result<Option<Box<dyn Running>>> {
        if matches!(self.fault, Fault::FailsToAdopt) { Err(failed()) } else { self.host.adopt(id).await }
    }

    async fn list(&self, labels: &Labels) -> Result<Vec<SandboxId>> {
        match self.fault {
            Fault::ListsAnything => Ok(self.started.lock().unwrap().clone()),
            _ => self.host.list(labels).await,
        }
    }
}

#[derive(Debug)]
struct Faulty {
    inner: Box<dyn Running>,
    more: Box<dyn Running>,
    fault: Fault,
    spec: Spec,
    first: bool,
}

impl Faulty {
    /// Writes as a process would that was left.
    fn haunt(&self) {
        let Some(mount) = self.spec.mounts.first() else { return };
        let file = mount.source.join("beat");
        std::thread::spawn(move || {
            for beat in 0..3000 {
                // The directory goes with the check.
                if std::fs::write(&file, beat.to_string()).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    }

    fn changed(&self, mut command: Command) -> Result<Command> {
        match self.fault {
            Fault::CountsTime if command.deadline == Duration::MAX => return Err(failed()),
            Fault::TellsAtTheEnd => command.deadline = Duration::from_secs(1),
            Fault::LosesInput => command.stdin.clear(),
            Fault::StaysAtRoot => command.workdir = PathBuf::from("/"),
            Fault::PassesVariables => command.env.extend(std::env::vars_os()),
            Fault::ShowsAnotherDirectory => {
                let here = self.spec.mounts.first().map(|mount| mount.source.display().to_string()).unwrap_or_default();
                let moved = |a: &std::ffi::OsString| a.to_string_lossy().replace(&here, "/no/such").into();
                command.args = command.args.iter().map(moved).collect();
            }
            Fault::LeavesSomething => self.haunt(),
            Fault::HasOneSandbox if !self.first => return Err(failed()),
            _ => {}
        }
        Ok(command)
    }
}

#[async_trait]
impl Running for Faulty {
    async fn exec(&mut self, command: Command) -> Result<Process> {
        let command = self.changed(command)?;
        let process = match (self.inner.exec(command.clone()).await, self.fault) {
            (Err(Error::InvalidSpec { .. }), Fault::RunsSomethingElse) => {
                self.inner.exec(Command::new("true", "/")).await?
            }
            (Err(Error::InvalidSpec { .. }), Fault::RunsTwoAtOnce) => self.more.exec(command).await?,
            (Err(Error::Program { .. }), Fault::FailsByItself) => return Err(failed()),
            (found, _) => found?,
        };
        let (outer, feed) = Process::channel();
        tokio::spawn(relay(process, feed, self.fault));
        Ok(outer)
    }

    async fn resume(&mut self) -> Result<Option<Process>> {
        match self.fault {
            Fault::ResumesAnything => self.inner.exec(Command::new("true", "/")).await.map(Some),
            _ => self.inner.resume().await,
        }
    }

    async fn usage(&self) -> Result<Usage> {
        self.inner.usage().await
    }

    async fn stop(self: Box<Self>, grace: Duration) -> Result<Stopped> {
        let found = self.inner.stop(grace).await?;
        self.more.stop(grace).await?;
        Ok(if matches!(self.fault, Fault::FindsNothing) { Stopped::Idle } else { found })
    }
}

async fn relay(mut process: Process, feed: Feed, fault: Fault) {
    let (stopper, mut kept, mut asked) = (process.stopper(), Vec::new(), false);
    loop {
        let output = tokio::select! {
            output = process.next() => output,
            () = feed.stop_requested(), if !asked => {
                asked = true;
                if matches!(fault, Fault::KillsAtOnce) { stopper.kill() } else { stopper.stop() }
                continue;
            }
            () = feed.kill_requested() => {
                stopper.kill();
                break;
            }
        };
        match output {
            None => break,
            Some(output) if matches!(fault, Fault::TellsAtTheEnd) => kept.push(output),
            Some(Output::Bytes(_, bytes)) if matches!(fault, Fault::MixesStreams) => {
                feed.send(Output::Bytes(Stream::Stdout, bytes)).await;
            }
            Some(output) => feed.send(output).await,
        }
    }
    let exit = process.wait().await.map(|exit| match fault {
        Fault::Tells(otherwise) => Exit { end: otherwise(exit.end.clone()), ..exit },
        Fault::TakesNoTime => Exit { wall: Duration::ZERO, ..exit },
        _ => exit,
    });
    feed.finish(exit);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rule_is_kept_by_a_lane_that_breaks_it() {
    let mut checks = JoinSet::new();
    let mut known = BTreeSet::new();
    for rule in conformance::rules() {
        let fault = FAULTS.iter().find(|(name, _)| *name == rule.name).map(|(_, fault)| *fault);
        let fault = fault.unwrap_or_else(|| panic!("nothing breaks {}", rule.name));
        known.insert(rule.name);
        checks.spawn(async move {
            let host = HostSandbox::new().unwrap();
            let lane = Broken { host, fault, asked: AtomicU32::new(0), started: Mutex::default() };
            (rule.name, rule.check(Shell, lane).await)
        });
    }
    assert_eq!(known.len(), FAULTS.len(), "a fault breaks no rule");
    for (rule, verdict) in checks.join_all().await {
        assert!(matches!(verdict, Verdict::Broken(_)), "{rule}: {verdict:?}");
    }
}
