//! What a fake command does.

use std::time::Duration;

use crate::{End, Stream, Usage};

/// What a command of a [`FakeSandbox`](crate::FakeSandbox) does, step by step, and how it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub(super) steps: Vec<Step>,
    pub(super) end: Ending,
    pub(super) on_stop: OnStop,
    pub(super) usage: Usage,
    pub(super) leftovers: u32,
}

/// How a script ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    With(End),
    /// It has to be ended.
    Never,
    /// There is no such program.
    Missing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Say(Stream, Vec<u8>),
    Flood(Stream, u64),
    Wait(Duration),
    CopyInput,
    PrintEnvironment,
    PrintDirectory,
}

/// What a fake command does when it is asked to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStop {
    /// It ends at once.
    #[default]
    Ends,
    /// It says this on standard output, and ends.
    Says(String),
    /// It goes on, until it is killed after its grace.
    Defies,
}

impl Script {
    /// Ends by itself with this status.
    pub fn exits(code: i32) -> Self {
        Self::ends(End::Exited { code })
    }

    /// Ends like this: by a signal, out of memory or disk, or by a loss of contact.
    pub fn ends(end: End) -> Self {
        let (steps, on_stop, usage) = (Vec::new(), OnStop::Ends, Usage::default());
        Self { steps, end: Ending::With(end), on_stop, usage, leftovers: 0 }
    }

    /// Does not end by itself.
    pub fn hangs() -> Self {
        Self { end: Ending::Never, ..Self::exits(0) }
    }

    /// Cannot be started, because there is no such program.
    pub fn missing() -> Self {
        Self { end: Ending::Missing, ..Self::exits(0) }
    }

    /// The same, but next it writes this to standard output.
    #[must_use]
    pub fn says(self, text: impl Into<Vec<u8>>) -> Self {
        self.then(Step::Say(Stream::Stdout, text.into()))
    }

    /// The same, but next it writes this to standard error.
    #[must_use]
    pub fn complains(self, text: impl Into<Vec<u8>>) -> Self {
        self.then(Step::Say(Stream::Stderr, text.into()))
    }

    /// The same, but next it writes so many bytes of `x` to this stream.
    #[must_use]
    pub fn floods(self, stream: Stream, bytes: u64) -> Self {
        self.then(Step::Flood(stream, bytes))
    }

    /// The same, but next it does nothing for this time.
    #[must_use]
    pub fn waits(self, time: Duration) -> Self {
        self.then(Step::Wait(time))
    }

    /// The same, but next it copies its standard input to its standard output.
    #[must_use]
    pub fn copies_input(self) -> Self {
        self.then(Step::CopyInput)
    }

    /// The same, but next it prints its environment, a line for each variable.
    #[must_use]
    pub fn prints_environment(self) -> Self {
        self.then(Step::PrintEnvironment)
    }

    /// The same, but next it prints its working directory.
    #[must_use]
    pub fn prints_directory(self) -> Self {
        self.then(Step::PrintDirectory)
    }

    /// The same, but this is what it does when it is asked to end.
    #[must_use]
    pub fn on_stop(self, on_stop: OnStop) -> Self {
        Self { on_stop, ..self }
    }

    /// The same, but this is what it uses.
    #[must_use]
    pub fn uses(self, usage: Usage) -> Self {
        Self { usage, ..self }
    }

    /// The same, but it leaves so many processes behind.
    #[must_use]
    pub fn leaves(self, leftovers: u32) -> Self {
        Self { leftovers, ..self }
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}
