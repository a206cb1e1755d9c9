//! A script in time.

use std::ffi::OsString;
use std::future::pending;
use std::pin::pin;

use tokio::time::{Instant, sleep};

use super::script::{Ending, OnStop, Script, Step};
use crate::intake::Intake;
use crate::{Command, End, Exit, Feed, Stream, Witness};

/// How much of a flood comes at once.
const WAVE: u64 = 64 << 10;

/// Plays a script to its end, or until it is ended.
pub(super) async fn play(script: &Script, command: &Command, intake: &Intake, feed: &Feed) -> Exit {
    let began = Instant::now();
    let mut steps = pin!(async {
        for step in &script.steps {
            take(step, command, intake).await;
        }
        match &script.end {
            Ending::With(end) => end.clone(),
            Ending::Never | Ending::Missing => pending().await,
        }
    });
    let cause = tokio::select! {
        biased;
        () = feed.kill_requested() => Err((End::Stopped, Urgency::Now)),
        () = feed.stop_requested() => Err((End::Stopped, Urgency::Grace)),
        () = sleep(command.deadline) => Err((End::Deadline, Urgency::Grace)),
        () = intake.silent(command.idle) => Err((End::Idle, Urgency::Grace)),
        () = intake.too_much() => Err((End::OutputLimit, Urgency::Grace)),
        end = &mut steps => Ok(end),
    };
    let (end, leftovers) = match cause {
        Ok(end) => (end, Some(script.leftovers)),
        Err((cause, urgency)) => {
            if urgency == Urgency::Grace {
                match &script.on_stop {
                    OnStop::Ends => {}
                    OnStop::Says(text) => intake.take(Stream::Stdout, text.as_bytes()),
                    OnStop::Defies => tokio::select! {
                        () = feed.kill_requested() => {}
                        () = sleep(command.grace) => {}
                    },
                }
            }
            (cause, None)
        }
    };
    let witness = if matches!(end, End::Lost { .. }) { Witness::Nobody } else { Witness::Parent };
    // Something as fast as this still takes time.
    let wall = began.elapsed().max(std::time::Duration::from_nanos(1));
    Exit { wall, usage: script.usage, leftovers, ..Exit::new(end, witness) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Urgency {
    Now,
    Grace,
}

async fn take(step: &Step, command: &Command, intake: &Intake) {
    match step {
        Step::Say(stream, bytes) => intake.take(*stream, bytes),
        Step::Flood(stream, bytes) => {
            let wave = vec![b'x'; usize::try_from(WAVE.min(*bytes)).unwrap_or(0)];
            let mut left = *bytes;
            while left > 0 {
                let now = usize::try_from(left).unwrap_or(usize::MAX).min(wave.len());
                intake.take(*stream, &wave[..now]);
                left -= now as u64;
                tokio::task::yield_now().await;
            }
        }
        Step::Wait(time) => sleep(*time).await,
        Step::CopyInput => intake.take(Stream::Stdout, &command.stdin),
        Step::PrintEnvironment => {
            let own = [("PATH", "/usr/bin:/bin"), ("HOME", "/home/agent"), ("TMPDIR", "/tmp"), ("LANG", "C.UTF-8")];
            let own = own.map(|(key, value)| (OsString::from(key), OsString::from(value)));
            let mut all = std::collections::BTreeMap::from(own);
            all.extend(command.env.clone());
            for (key, value) in all {
                let line = [key.as_encoded_bytes(), b"=", value.as_encoded_bytes(), b"\n"].concat();
                intake.take(Stream::Stdout, &line);
            }
        }
        Step::PrintDirectory => {
            intake.take(Stream::Stdout, command.workdir.as_os_str().as_encoded_bytes());
            intake.take(Stream::Stdout, b"\n");
        }
    }
}
