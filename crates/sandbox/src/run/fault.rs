//! What went wrong between fork and exec, in twelve bytes.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::{Command, Error};

/// A step that failed before the program ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) stage: Stage,
    /// Which one of several, where a stage has several.
    pub(crate) index: u32,
    pub(crate) errno: Errno,
}

macro_rules! stages {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Where it went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Stage { $($(#[$doc])* $name,)* }

        impl Stage {
            const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

stages! {
    /// Arranging the descriptors, signals and session of a new process.
    Prepare,
    /// Starting another process.
    Fork,
    /// Joining a control group.
    Group,
    /// Leaving the host's namespaces.
    Unshare,
    /// Mapping the user.
    Map,
    /// Opening a path of the host, by index.
    Open,
    /// A step of building the root directory, by index.
    Build,
    /// Changing to the new root directory.
    Pivot,
    /// Switching the loopback interface on.
    Loopback,
    /// Making the way to the proxy.
    Outlet,
    /// Lowering limits and privileges.
    Lower,
    /// Restricting the program with Landlock.
    Wall,
    /// Installing the system call filter.
    Filter,
    /// Changing to the working directory.
    Workdir,
    /// Becoming the program.
    Exec,
    /// The program is there, but the interpreter or loader that it names is not.
    Interpreter,
}

impl Stage {
    /// What was tried, as a verb with its object.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Prepare => "prepare a process",
            Self::Fork => "start a process",
            Self::Group => "join the control group",
            Self::Unshare => "leave the host's namespaces",
            Self::Map => "map the user into the sandbox",
            Self::Open => "open a path of the host",
            Self::Build => "build the root directory",
            Self::Pivot => "change to the new root directory",
            Self::Loopback => "switch the loopback interface on",
            Self::Outlet => "make the way to the proxy",
            Self::Lower => "lower limits and privileges",
            Self::Wall => "restrict the program with Landlock",
            Self::Filter => "install the system call filter",
            Self::Workdir => "enter the working directory",
            Self::Exec | Self::Interpreter => "run the program",
        }
    }
}

const SIZE: usize = 12;

impl Fault {
    /// A fault without an index.
    pub(crate) fn at(stage: Stage) -> impl Fn(Errno) -> Self {
        move |errno| Self { stage, index: 0, errno }
    }

    /// A fault of one of several.
    #[cfg(feature = "native")]
    pub(crate) fn nth(stage: Stage, index: usize) -> impl Fn(Errno) -> Self {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        move |errno| Self { stage, index, errno }
    }

    /// The error that it is for the caller, as far as it concerns the command itself.
    pub(crate) fn error(self, lane: &'static str, command: &Command) -> Error {
        let problem = match (self.stage, self.errno) {
            (Stage::Workdir, errno) => {
                let what = format!("the working directory {}", command.workdir.display());
                return Error::InvalidSpec { what, problem: format!("it cannot be entered: {errno}") };
            }
            (Stage::Exec, Errno::NOENT) => "it was not found; install it or make it visible inside".to_owned(),
            (Stage::Exec, Errno::ACCESS) => "it is not an executable file".to_owned(),
            (Stage::Exec, Errno::NOEXEC) => {
                "it is neither a program for this machine nor a script with '#!'".to_owned()
            }
            (Stage::Exec, errno) => errno.to_string(),
            (Stage::Interpreter, _) => "it is there, but the interpreter or loader that it names is not".to_owned(),
            (stage, errno) => {
                return Error::Lane { action: stage.action().into(), source: std::io::Error::from(errno).into() };
            }
        };
        Error::Program { lane, program: command.program.clone().into(), problem }
    }

    /// Writes it where the other side reads it. Does not allocate.
    pub(crate) fn send(self, to: BorrowedFd<'_>) {
        let mut bytes = [0; SIZE];
        let (stage, rest) = bytes.split_at_mut(4);
        let (index, errno) = rest.split_at_mut(4);
        stage.copy_from_slice(&(self.stage as u32).to_ne_bytes());
        index.copy_from_slice(&self.index.to_ne_bytes());
        errno.copy_from_slice(&self.errno.raw_os_error().to_ne_bytes());
        // When nobody reads it any more, nobody is interested.
        let _gone = rustix::io::write(to, &bytes);
    }

    /// Reads it back; none when there is no fault in these bytes.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let word = |n: usize| Some(u32::from_ne_bytes(bytes.get(n * 4..n * 4 + 4)?.try_into().ok()?));
        let stage = *Stage::ALL.get(usize::try_from(word(0)?).ok()?)?;
        Some(Self { stage, index: word(1)?, errno: Errno::from_raw_os_error(word(2)?.cast_signed()) })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_fault_survives_the_pipe() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let fault = Fault { stage: Stage::Open, index: 7, errno: Errno::NOENT };
        fault.send(writer.as_fd());
        drop(writer);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(Fault::read(&bytes), Some(fault));
        assert_eq!(Fault::read(&bytes[..11]), None);
    }
}
