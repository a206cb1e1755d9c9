//! What the checks need, in a lane of scripts.

use std::borrow::Cow;
use std::ffi::OsString;

use super::{Act, Programs};
use crate::{Command, End, FakeSandbox, OnStop, Script, Stream};

/// Does what the checks need in a [`FakeSandbox`] that [`lane`](Self::lane) makes, as far as that takes no files.
#[derive(Clone, Copy, Debug)]
pub struct Scripted;

impl Scripted {
    /// A fake lane that does what the checks need: to be checked itself, or in whatever wraps it.
    pub fn lane(self) -> FakeSandbox {
        FakeSandbox::new(|_, command| script(command).unwrap_or_else(Script::missing))
    }
}

impl Programs for Scripted {
    fn command(&self, act: &Act) -> Option<Command> {
        let command = |name: &str, args: &[&str]| Some(Command::new(name, "/").args(args));
        match act {
            Act::Exit(code) => command("exit", &[&code.to_string()]),
            Act::Signal(signal) => command("signal", &[&signal.to_string()]),
            Act::Say(pieces) => {
                let name = |stream: &Stream| if *stream == Stream::Stdout { "out" } else { "err" };
                let args = pieces.iter().flat_map(|(stream, text)| [name(stream).to_owned(), text.clone()]);
                Some(Command::new("say", "/").args(args))
            }
            Act::SayAndWait(text) => command("wait", &[text]),
            Act::SayAndDefy(text) => command("defy", &[text]),
            Act::SayGoodbye(text) => command("goodbye", &[text]),
            Act::Flood(count, last) => command("flood", &[&count.to_string(), last]),
            Act::FloodForEver => command("flood", &[&u64::MAX.to_string(), ""]),
            Act::Copy => command("copy", &[]),
            Act::Ignore => command("exit", &["0"]),
            Act::Environment => command("environment", &[]),
            Act::Where => command("where", &[]),
            Act::Beat(..) | Act::Read(_) | Act::Write(..) | Act::WriteHome(..) => None,
        }
    }
}

fn script(command: &Command) -> Option<Script> {
    let arg = |n: usize| -> Cow<'_, str> { command.args.get(n).map_or("".into(), |a: &OsString| a.to_string_lossy()) };
    let done = Script::exits(0);
    Some(match &*command.program.to_string_lossy() {
        "exit" => Script::exits(arg(0).parse().ok()?),
        "signal" => Script::ends(End::Signaled { signal: arg(0).parse().ok()? }),
        "say" => (0..command.args.len()).step_by(2).fold(done, |script, n| {
            let text = arg(n + 1).into_owned();
            if arg(n) == "out" { script.says(text) } else { script.complains(text) }
        }),
        "wait" => Script::hangs().says(arg(0).into_owned()),
        "defy" => Script::hangs().says(arg(0).into_owned()).on_stop(OnStop::Defies),
        "goodbye" => Script::hangs().says("ready\n").on_stop(OnStop::Says(arg(0).into_owned())),
        "flood" => done.floods(Stream::Stdout, arg(0).parse().ok()?).says(arg(1).into_owned()),
        "copy" => done.copies_input(),
        "environment" => done.prints_environment(),
        "where" => done.prints_directory(),
        _ => return None,
    })
}
