//! What a waiting shell is told so that it becomes a command; pure.
//!
//! The shell in a container that is kept ready reads lines from its standard input, byte by byte, and evaluates each. It is told
//! of the command in two parts. After the first one it has everything, stands in the working directory, has found the program,
//! and says so; the last line lets it become the program, which finds its own input behind. Until that line came, nothing of the
//! command has run, and without it nothing ever will: a shell whose input ends before ends itself.

use std::ffi::OsStr;

use zeroize::Zeroizing;

use crate::Command;

use super::super::entry;

/// What the shell runs. It has a line end at hand, which no line that it reads can hold.
///
/// An end without the program has its own words, because a program may end with 125 as well.
pub(super) const SCRIPT: &str = "_n='\n'\nwhile IFS= read -r _l; do eval \"$_l\" || break; done
echo \"$0: its input broke off before it was told everything\" >&2; exit 125";
/// How the shell calls itself where it complains.
pub(in super::super) const NAME: &str = "hedgerow-entry";
/// Asks a new shell whether it is there, and its answer.
pub(super) const HELLO: &str = "echo warm >&2\n";
pub(super) const WARM: &str = "warm\n";
pub(super) const NO_WORKDIR: &str = "no workdir\n";
pub(super) const NO_PROGRAM: &str = "no program\n";
/// The last line. What the shell itself has put into the environment is no business of the command's.
pub(super) const GO: &[u8] = b"unset _l _n PWD OLDPWD SHLVL; exec \"$@\"\n";

/// More would take the shell longer than a new container takes.
const MOST: usize = 256 << 10;

/// The first part of what the shell is told, or why a shell cannot be told of this command. `ready` is the line that it says
/// when only the last line is missing.
pub(super) fn lines(command: &Command, ready: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let secrets = entry::secrets(command);
    // Never made larger once a secret is in it, which would leave a copy behind.
    let mut told = Zeroizing::new(Vec::with_capacity(MOST + secrets.len()));
    let mut arguments = vec![quoted("the program", &command.program)?];
    if arguments[0].starts_with("'-") {
        return Err("a shell would take the name of its program for an option".into());
    }
    for argument in &command.args {
        arguments.push(quoted("an argument", argument)?);
    }
    told.extend_from_slice(format!("set -- {}\n", arguments.join(" ")).as_bytes());
    for (name, value) in &command.env {
        let name = name.to_str().filter(|name| is_free(name));
        let name = name.ok_or("it sets a variable that a shell has a use of its own for")?;
        told.extend_from_slice(format!("export {name}={}\n", quoted("a variable", value)?).as_bytes());
    }
    if told.len() > MOST / 2 {
        return Err("its arguments and variables are too large to be told line by line".into());
    }
    if !command.secrets.is_empty() {
        let variables = command.secrets.iter().filter(|secret| secret.as_file().is_none());
        if let Some(taken) = variables.map(crate::Secret::name).find(|name| !is_free(name)) {
            return Err(format!("a shell has a use of its own for the variable of the secret {taken:?}"));
        }
        // The arguments of a program can be seen.
        told.extend_from_slice(b"[ \"$(command -v printf)\" = printf ]\n");
    }
    told.extend_from_slice(&secrets);
    let mut line = |text: String| told.extend_from_slice(text.as_bytes());
    let workdir = quoted("the working directory", command.workdir.as_os_str())?;
    line(format!("cd -P {workdir} 2>/dev/null || {{ printf '{}' >&2; exit 125; }}\n", escaped(NO_WORKDIR)));
    line(format!("command -v \"$1\" >/dev/null || {{ printf '{}' >&2; exit 125; }}\n", escaped(NO_PROGRAM)));
    let ready = quoted("what it says", OsStr::new(ready.trim_end_matches('\n')))?;
    line(format!("printf '%s\\n' {ready} >&2\n"));
    Ok(told)
}

fn escaped(text: &str) -> String {
    text.replace('\n', "\\n")
}

/// One word for a shell, on one line.
fn quoted(what: &str, text: &OsStr) -> Result<String, String> {
    let text = text.to_str().ok_or_else(|| format!("{what} is not text"))?;
    Ok(format!("'{}'", text.replace('\'', "'\\''").replace('\n', "'\"$_n\"'")))
}

/// Whether a variable of this name means nothing to any shell, and can be exported by one.
fn is_free(name: &str) -> bool {
    const TAKEN: [&str; 25] = [
        "COLUMNS",
        "COMP_WORDBREAKS",
        "DIRSTACK",
        "EUID",
        "FUNCNAME",
        "FUNCNEST",
        "GROUPS",
        "HISTCMD",
        "IFS",
        "LINENO",
        "LINES",
        "OLDPWD",
        "OPTARG",
        "OPTIND",
        "PIPESTATUS",
        "POSIXLY_CORRECT",
        "PPID",
        "PWD",
        "RANDOM",
        "REPLY",
        "SECONDS",
        "SHELLOPTS",
        "SHLVL",
        "TMOUT",
        "UID",
    ];
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    first && rest && !TAKEN.contains(&name) && !name.starts_with("BASH") && !name.starts_with("EPOCH")
}

/// What the shell said instead of becoming the program, if that is all that was said.
pub(in super::super) fn complaint(stderr: &str) -> Option<&str> {
    let line = stderr.strip_prefix(NAME)?.strip_prefix(": ")?.strip_suffix('\n')?;
    let said =
        line.trim_start_matches("line ").trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(": ");
    Some(said.trim_start_matches("exec: ")).filter(|said| !said.is_empty())
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
