//! Following one container to its end.

use std::future::{Future, pending};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::ContainerState;
use futures_util::{StreamExt, stream};
use tokio::pin;
use tokio::select;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::redact::Redactor;
use crate::{End, Error, Exit, Feed, Limits, Overflow, Result, SandboxId, Start, Witness};

use super::capture::Capture;
use super::disk::Watch;
use super::end::{self, Known, Report};
use super::ended::{Contact, Ended, Sight};
use super::engine::{Items, Sent, within};
use super::input::{Delivery, Input, deliver};
use super::outlet::{self, Outlet};
use super::tally::Tally;
use super::tap::{Rest, Tap};
use super::{Lane, time};

/// After this time without a word about a program that could not be executed, it counts as started. Should the word come
/// later, the end of the process is that error.
const SETTLE: Duration = Duration::from_millis(200);
/// How long it takes until the engine is asked what a command uses. What ends before has nothing to tell, and asking is work for
/// the engine.
const SAMPLES: Duration = Duration::from_millis(150);
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
/// How long a container may take to die of SIGKILL, and how often the signal is sent meanwhile.
const DYING: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(5);

/// A container that was started, and how it is to be followed.
pub(super) struct Job {
    pub(super) output: Tap,
    pub(super) input: Option<Input>,
    pub(super) outlet: Option<Outlet>,
    pub(super) watched: Watched,
}

/// Which container, and what it may do.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) lane: Arc<Lane>,
    pub(super) sandbox: SandboxId,
    pub(super) container: String,
    /// The names that the container may have as long as nobody takes it over.
    pub(super) names: Vec<String>,
    /// Whether the engine was out of reach already while it was being started.
    pub(super) contact: Contact,
    /// Whether it had ended before this process followed it.
    pub(super) sight: Sight,
    /// Whether its container was made for it.
    pub(super) start: Start,
    pub(super) hold: Hold,
    pub(super) program: PathBuf,
    pub(super) image: String,
    pub(super) limits: Limits,
    pub(super) disk: Watch,
    /// How long it runs already.
    pub(super) age: Duration,
    pub(super) deadline: Duration,
    pub(super) idle: Option<Duration>,
    pub(super) grace: Duration,
    pub(super) tally: Tally,
    pub(super) redactor: Redactor,
}

/// Whose command it was when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Own,
    /// Another process's, from which this one took it over.
    TakenOver,
}

type Started = oneshot::Sender<Result<Start>>;
type Sending<'f> = Pin<Box<dyn Future<Output = ()> + Send + 'f>>;

/// What is done next to bring about the end, and why.
#[derive(Debug)]
enum Step {
    Ask(End),
    Kill(End),
}

/// How far the end of a command has been brought about.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Running,
    /// It was asked to end; at this time it is killed.
    Asked(Instant),
    /// It was killed; at the first time it is given up, and at the second one it is killed again, since the engine may not have
    /// passed the signal on.
    Killed(Instant, Instant),
}

/// How the watch over a container came to its end.
#[derive(Debug)]
struct Finish {
    ended: Ended,
    /// Why it was ended, if it was our doing.
    cause: Option<End>,
    /// What went wrong in the lane, for which it was killed.
    failed: Option<Error>,
    delivery: Delivery,
}

/// Follows a container until it is gone and its reader has everything.
///
/// `started` hears once whether the program runs, `gone` when the container is removed.
pub(super) async fn follow(job: Job, feed: Feed, started: Started, gone: oneshot::Sender<()>) {
    let mut started = Some(started);
    let exit = to_the_end(job, &feed, &mut started, gone).await;
    match (exit, started) {
        // Whoever asked for the command hears it now; there is no process to wait for.
        (Err(error), Some(started)) => drop(started.send(Err(error))),
        (exit, mut started) => {
            // It was told before.
            drop(started.take());
            feed.finish(exit);
        }
    }
}

async fn to_the_end(job: Job, feed: &Feed, started: &mut Option<Started>, gone: oneshot::Sender<()>) -> Result<Exit> {
    let begun = Instant::now();
    let Job { mut output, input, mut outlet, watched: job } = job;
    let mut capture = Capture::new(job.limits.output).without(job.redactor.clone());
    let mut sending = None;
    let streams = Streams { input, output: &mut output, outlet: &mut outlet };
    let mut finish = watch(&job, streams, feed, &mut capture, &mut sending, started).await;
    if let Some(outlet) = outlet {
        outlet::close(outlet);
    }
    if matches!(finish.ended, Ended::Unreachable(_)) {
        // What is out of reach may run on; it is left to be taken over, unless it was to end.
        job.lane.note_left_over(&job.sandbox, job.names.iter().cloned());
        if finish.cause.is_some() {
            job.lane.sweep_later(&job.sandbox);
        }
    } else {
        let doubtful = matches!(finish.ended, Ended::Reported { contact: Contact::Lost(_), .. });
        if let Rest::Removed = output.finish(&mut capture, doubtful).await {
            finish.ended = Ended::Gone;
        }
        let looking = async {
            if let (Ended::Reported { state, contact, sight }, None) = (&mut finish.ended, &finish.cause) {
                (*contact, *sight) = job.lane.look_back(state, *contact, *sight, job.sight, job.hold).await;
            }
        };
        let (removed, ()) = tokio::join!(job.lane.engine.remove(&job.container), looking);
        // The end of the command is known all the same.
        if removed.is_err() {
            job.lane.note_left_over(&job.sandbox, job.names.iter().cloned());
            job.lane.sweep_later(&job.sandbox);
        }
    }
    capture.close();
    // Nobody may be waiting for it.
    let _unheard = gone.send(());
    let exit = conclude(&job, &capture, finish, job.age + begun.elapsed());
    if exit.is_err() && started.is_some() {
        return exit;
    }
    tell(started, &job.start);
    if let Some(sending) = sending {
        sending.await;
    }
    while let Some(item) = capture.pop() {
        feed.send(item).await;
    }
    exit
}

/// What goes in and out of a container.
struct Streams<'s> {
    input: Option<Input>,
    output: &'s mut Tap,
    outlet: &'s mut Option<Outlet>,
}

/// Passes output on, asks and kills, until the container has ended.
async fn watch<'f>(
    job: &Watched,
    Streams { input, output, outlet }: Streams<'_>,
    feed: &'f Feed,
    capture: &mut Capture,
    sending: &mut Option<Sending<'f>>,
    started: &mut Option<Started>,
) -> Finish {
    let begun = Instant::now();
    let deadline = after(begun, job.deadline.saturating_sub(job.age));
    // One that waited has found its program already.
    let settle = if job.start == Start::Warm { Duration::ZERO } else { SETTLE };
    let mut quiet_since = begun;
    let mut cause = None;
    let mut failed = None;
    let mut phase = Phase::Running;
    let (engine, container) = (&job.lane.engine, job.container.as_str());
    let mut delivery = Delivery::of(input.as_ref());
    let typing = deliver(engine, container, input);
    pin!(typing);
    let mut typed = false;
    let full = job.disk.exceeded();
    pin!(full);
    let mut is_full = false;
    let first = first_process(job);
    pin!(first);
    let mut found = !job.disk.is_on();
    let (asked, of) = (engine.clone(), job.container.clone());
    let sampling = async move {
        sleep_until(begun + SAMPLES).await;
        asked.stats(&of)
    };
    let mut stats: Option<Items<_>> = Some(Box::pin(stream::once(sampling).flatten()));
    let ending = engine.ended(container, job.contact, job.sight);
    pin!(ending);
    loop {
        if sending.is_none()
            && let Some(item) = capture.pop()
        {
            *sending = Some(Box::pin(feed.send(item)));
        }
        let alarm = match phase {
            Phase::Running => job.idle.map_or(deadline, |idle| deadline.min(after(quiet_since, idle))),
            Phase::Asked(until) => until,
            Phase::Killed(until, again) => until.min(again),
        };
        let running = matches!(phase, Phase::Running);
        let alive = !matches!(phase, Phase::Killed(..));
        let step = select! {
            fresh = output.take(capture) => {
                if fresh {
                    quiet_since = Instant::now();
                    if end::init_failed(capture.only_stderr()).is_none() {
                        tell(started, &job.start);
                    }
                }
                let too_much = job.limits.overflow == Overflow::End && capture.written() > job.limits.output;
                if !(running && too_much) {
                    continue;
                }
                Step::Ask(End::OutputLimit)
            }
            () = done(sending) => {
                *sending = None;
                continue;
            }
            noted = &mut typing, if !typed => {
                typed = true;
                match noted {
                    Ok(so) => {
                        delivery = so;
                        continue;
                    }
                    Err(error) => failed = Some(error),
                }
                Step::Kill(End::Stopped)
            }
            error = outlet::broken(outlet), if failed.is_none() => {
                failed = Some(error);
                Step::Kill(End::Stopped)
            }
            sample = next(&mut stats) => {
                match sample {
                    Some(Ok(sample)) => job.tally.sample(&sample),
                    Some(Err(_)) | None => stats = None,
                }
                continue;
            }
            () = sleep_until(begun + settle), if started.is_some() => {
                tell(started, &job.start);
                continue;
            }
            pid = &mut first, if !found => {
                found = true;
                job.disk.inside(pid);
                continue;
            }
            () = &mut full, if !is_full => {
                is_full = true;
                Step::Kill(End::OutOfDisk)
            }
            ended = &mut ending => return Finish { ended, cause, failed, delivery },
            () = feed.kill_requested(), if alive => Step::Kill(End::Stopped),
            () = feed.stop_requested(), if running => Step::Ask(End::Stopped),
            () = sleep_until(alarm) => match phase {
                Phase::Running if Instant::now() >= deadline => Step::Ask(End::Deadline),
                Phase::Running => Step::Ask(End::Idle),
                Phase::Asked(_) => Step::Kill(End::Stopped),
                Phase::Killed(until, _) if Instant::now() < until => Step::Kill(End::Stopped),
                Phase::Killed(..) => {
                    let silent = || Ended::Unreachable("it did not answer while the command was killed".into());
                    let ended = if engine.answers().await { Ended::Undead } else { silent() };
                    return Finish { ended, cause, failed, delivery };
                }
            },
        };
        let (signal, why, then) = match step {
            Step::Ask(why) => ("SIGTERM", why, Phase::Asked(after(Instant::now(), job.grace))),
            Step::Kill(why) => {
                let now = Instant::now();
                let until = if let Phase::Killed(until, _) = phase { until } else { now + DYING };
                ("SIGKILL", why, Phase::Killed(until, now + AGAIN))
            }
        };
        phase = then;
        // A signal that reached nothing found a command that had ended by itself.
        if engine.signal(container, signal).await != Sent::No {
            cause.get_or_insert(why);
        }
    }
}

/// The number of the first process inside, as it is outside.
async fn first_process(job: &Watched) -> Option<i64> {
    within(job.lane.engine.inspect(&job.container)).await.ok()?.state?.pid
}

/// What the end of the container means for its command.
fn conclude(job: &Watched, capture: &Capture, finish: Finish, elapsed: Duration) -> Result<Exit> {
    let Finish { ended, cause, failed, delivery } = finish;
    let usage = job.tally.close();
    let exit = |end, witness| Exit {
        wall: elapsed,
        usage,
        written: capture.written(),
        dropped: capture.dropped(),
        ..Exit::new(end, witness)
    };
    let lost = |why: String| Ok(exit(End::Lost { why }, Witness::Nobody));
    match ended {
        Ended::Gone => lost("its container was removed by somebody else".into()),
        Ended::Undead => lost("its container did not die of SIGKILL".into()),
        Ended::Unreachable(why) => lost(format!("the engine does not answer any more: {why}")),
        Ended::NeverStarted => {
            lost("the engine was out of reach while it was being started; whether it ran is not known".into())
        }
        Ended::Unnoticed => lost("it ended, and its engine did not notice".into()),
        Ended::Reported { state, sight: Sight::Unseen, .. } if cause.is_none() => lost(format!(
            "the engine was not there when it ended with status {}, so its last output may be missing",
            state.exit_code.unwrap_or(-1)
        )),
        Ended::Reported { contact: Contact::Lost(at), .. } if cause.is_none() && !delivery.is_whole_at(at) => {
            lost("the engine was out of reach before the command had all of its input for certain".into())
        }
        Ended::Reported { contact: Contact::Lost(_), .. } if failed.is_some() => {
            lost("the engine was out of reach while the command's input was delivered".into())
        }
        Ended::Reported { state, contact, .. } => {
            // Without a cause it had ended by itself before the kill.
            if let (Some(error), Some(_)) = (failed, &cause) {
                return Err(error);
            }
            let code = state.exit_code.unwrap_or(-1);
            // A container that waited began long before its command.
            let lasted = took(&state).filter(|_| job.start != Start::Warm).unwrap_or(elapsed);
            if let Some(error) = end::never_started(code, capture.only_stderr(), lasted, &job.program, &job.image) {
                return Err(error);
            }
            let report = Report { code, out_of_memory: state.oom_killed == Some(true) };
            let end = end::end(report, &Known { cause, lost_contact: contact != Contact::Kept });
            let witness = if matches!(end, End::Lost { .. }) { Witness::Nobody } else { Witness::Engine };
            Ok(Exit { wall: lasted, ..exit(end, witness) })
        }
    }
}

/// A deadline that no clock can hold is as good as none.
fn after(at: Instant, time: Duration) -> Instant {
    at.checked_add(time).unwrap_or_else(|| at + FAR)
}

async fn next<T>(items: &mut Option<Items<T>>) -> Option<std::result::Result<T, bollard::errors::Error>> {
    match items {
        Some(items) => items.next().await,
        None => pending().await,
    }
}

async fn done(future: &mut Option<Sending<'_>>) {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

fn tell(started: &mut Option<Started>, start: &Start) {
    if let Some(started) = started.take() {
        // The caller may have given up; its process is dropped then, which is a kill.
        let _unheard = started.send(Ok(start.clone()));
    }
}

fn took(state: &ContainerState) -> Option<Duration> {
    time::between(state.started_at.as_deref()?, state.finished_at.as_deref()?)
}
