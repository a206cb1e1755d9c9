//! What the checks let programs do, and how that is done in a shell.

use std::fmt::{Debug, Write as _};
use std::path::{Path, PathBuf};

use crate::{Command, Stream};

/// Something that a check lets a program do inside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Act {
    /// End with this status.
    Exit(u8),
    /// End by this signal.
    Signal(u8),
    /// Print these pieces, in this order, and end well.
    Say(Vec<(Stream, String)>),
    /// Print this on standard output, and then do nothing for an hour. SIGTERM ends it.
    SayAndWait(String),
    /// The same, but SIGTERM does not end it.
    SayAndDefy(String),
    /// Print `ready` on standard output and do nothing for an hour; on SIGTERM, print this and end well.
    SayGoodbye(String),
    /// Print so many times `x` on standard output, then this, and end well.
    Flood(u64, String),
    /// Print without end.
    FloodForEver,
    /// Copy standard input to standard output.
    Copy,
    /// End well without looking at standard input.
    Ignore,
    /// Print the environment on standard output, a line for each variable.
    Environment,
    /// Print the working directory on standard output.
    Where,
    /// Write a growing number into this file, again and again.
    Beat(PathBuf, Beat),
    /// Print what is in this file on standard output.
    Read(PathBuf),
    /// Write this into this file.
    Write(PathBuf, String),
    /// Write this into this file in the home directory.
    WriteHome(String, String),
}

/// Who does it, and when the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Beat {
    /// The program itself, for ever.
    Program,
    /// The program itself, for ever, and SIGTERM does not end it.
    Stubborn,
    /// A process in a session of its own, for ever. The program ends when it has begun.
    Daemon,
}

/// How what the checks need is done in a lane.
pub trait Programs: Debug + Send + Sync {
    /// The command that does it; none when it cannot be done in this lane, so that what needs it is not checked.
    fn command(&self, act: &Act) -> Option<Command>;
}

/// Does everything with `/bin/sh`.
#[derive(Clone, Copy, Debug)]
pub struct Shell;

impl Programs for Shell {
    fn command(&self, act: &Act) -> Option<Command> {
        Some(Command::new("/bin/sh", "/").args(["-c", &script(act)]))
    }
}

fn script(act: &Act) -> String {
    match act {
        Act::Exit(code) => format!("exit {code}"),
        Act::Signal(signal) => format!("kill -{signal} $$"),
        Act::Say(pieces) => pieces.iter().fold(String::new(), |mut script, (stream, text)| {
            let to = if *stream == Stream::Stdout { 1 } else { 2 };
            // Writing to a string cannot fail.
            let _written = writeln!(script, "printf '%s' {} >&{to}", quoted(text));
            script
        }),
        Act::SayAndWait(text) => format!("printf '%s' {}; exec sleep 3600", quoted(text)),
        Act::SayAndDefy(text) => format!("trap '' TERM; printf '%s' {}; exec sleep 3600", quoted(text)),
        Act::SayGoodbye(text) => format!(
            "trap 'printf %s {}; exit 0' TERM; echo ready; while :; do sleep 0.05; done",
            quoted(text).replace('\'', "\"")
        ),
        Act::Flood(count, last) => {
            format!("head -c {count} /dev/zero | tr '\\0' x; printf '%s' {}", quoted(last))
        }
        Act::FloodForEver => "while :; do printf xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done".into(),
        Act::Copy => "exec cat".into(),
        Act::Ignore => "exec <&-; exit 0".into(),
        Act::Environment => "exec env".into(),
        Act::Where => "pwd".into(),
        Act::Beat(file, beat) => beat_script(file, *beat),
        Act::Read(file) => format!("exec cat {}", path(file)),
        Act::Write(file, text) => format!("printf '%s' {} > {}", quoted(text), path(file)),
        Act::WriteHome(name, text) => format!("printf '%s' {} > \"$HOME\"/{}", quoted(text), quoted(name)),
    }
}

fn beat_script(file: &Path, beat: Beat) -> String {
    let file = path(file);
    let beats = format!("i=0; while :; do i=$((i+1)); echo $i > {file}; sleep 0.05; done");
    match beat {
        Beat::Program => beats,
        Beat::Stubborn => format!("trap '' TERM; {beats}"),
        Beat::Daemon => format!(
            "new=; command -v setsid > /dev/null && new=setsid; $new sh -c {} < /dev/null > /dev/null 2>&1 &
             until test -s {file}; do sleep 0.02; done",
            quoted(&format!("trap '' TERM HUP; {beats}"))
        ),
    }
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
