use std::io::Write;
use std::path::Path;
use std::process::{Command as Direct, Stdio};

use super::*;

const READY: &str = "ready it's {\"a\": \"\\n%s$x`\"}\n";
use crate::Secret;

/// What the program prints and what the shell says, run by this machine's own shell.
fn run(command: &Command, end: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let mut input = lines(command, READY).expect("a shell can be told").to_vec();
    input.extend_from_slice(end);
    let mut shell = Direct::new("/bin/sh");
    shell.args(["-c", SCRIPT, NAME]).env_clear().env("PATH", "/usr/bin:/bin");
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
    // A shell that has ended reads no more.
    let _gone = child.stdin.take().expect("a pipe").write_all(&input);
    let output = child.wait_with_output().expect("an end");
    (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn go(stdin: &str) -> Vec<u8> {
    [GO, stdin.as_bytes()].concat()
}

#[test]
fn arguments_variables_and_input_arrive_as_they_are() {
    let values = [
        "",
        "plain",
        "'",
        "'\"$(echo bad)`x`\\n%s",
        "lines\n\nand 'more'\n",
        " spaces ",
        "-n",
        "é\u{81}\u{88}ÿ€😀",
        "\r\t\u{1b}",
    ];
    for value in values {
        let command = Command::new("/bin/sh", "/").args(["-c", "printf '%s|%s|' \"$1\" \"$GIVEN\"; cat", "x", value]);
        let command = command.env("GIVEN", value);
        let seen = run(&command, &go("own\ninput"));
        assert_eq!(seen, (Some(0), format!("{value}|{value}|own\ninput").into_bytes(), READY.to_owned()), "{value:?}");
    }
}

#[test]
fn nothing_runs_before_the_last_line() {
    let command = Command::new("echo", "/").args(["ran"]).secret(Secret::variable("KEY", "v").expect("a value"));
    let whole = lines(&command, READY).expect("told");
    let (code, out, said) = run(&command, b"");
    assert_eq!((code, out.as_slice()), (Some(125), b"".as_slice()));
    let said = said.strip_prefix(READY).expect("it was ready");
    let error = super::super::super::end::never_started(
        125,
        Some(said.as_bytes()),
        std::time::Duration::ZERO,
        Path::new("echo"),
        "i",
    );
    assert!(error.is_some(), "taken for an end of the program's own: {said}");
    assert!(whole.ends_with(b">&2\n"), "the line that says so is the last one");
    assert_eq!(run(&command, GO).1, b"ran\n");
}

#[test]
fn the_environment_has_nothing_of_the_shells() {
    let seen = run(&Command::new("env", "/tmp").env("GIVEN", "1"), GO);
    let mut names: Vec<_> =
        std::str::from_utf8(&seen.1).expect("text").lines().filter(|l| !l.starts_with("_=")).collect();
    names.sort_unstable();
    assert_eq!(names, ["GIVEN=1", "PATH=/usr/bin:/bin"]);
}

#[test]
fn what_cannot_be_run_is_told_before_it_is_run() {
    assert_eq!(run(&Command::new("/no/such", "/"), GO), (Some(125), vec![], NO_PROGRAM.to_owned()));
    assert_eq!(run(&Command::new("no-such-program", "/"), GO), (Some(125), vec![], NO_PROGRAM.to_owned()));
    assert_eq!(run(&Command::new("true", "/no/such"), GO), (Some(125), vec![], NO_WORKDIR.to_owned()));
    let (code, _, said) = run(&Command::new("/etc/passwd", "/"), GO);
    assert!(matches!(code, Some(125..=127)), "{code:?}");
    let said = said.strip_prefix(READY).unwrap_or(&said);
    assert!(said == NO_PROGRAM || complaint(said).is_some_and(|why| why.contains("/etc/passwd")), "{said}");
}

#[test]
fn what_a_shell_cannot_be_told_is_refused() {
    for name in ["IFS", "PWD", "TMOUT", "_l", "A.B", "1A", "BASH_ENV", "A\nB"] {
        assert!(lines(&Command::new("true", "/").env(name, "x"), READY).is_err(), "{name}");
    }
    assert!(lines(&Command::new("--help", "/"), READY).is_err());
    assert!(lines(&Command::new("true", "/").args(["x".repeat(MOST)]), READY).is_err());
    assert!(lines(&Command::new("true", "/").secret(Secret::variable("IFS", "v").expect("a value")), READY).is_err());
}

#[test]
fn a_complaint_of_the_shell_is_known_in_every_dialect() {
    for said in [
        "hedgerow-entry: 1: exec: /x: Permission denied\n",
        "hedgerow-entry: line 2: /x: Permission denied\n",
        "hedgerow-entry: line 2: exec: /x: Permission denied\n",
        "hedgerow-entry: exec: line 1: /x: Permission denied\n",
    ] {
        assert!(complaint(said).is_some_and(|why| why.ends_with("/x: Permission denied")), "{said}");
    }
    assert_eq!(complaint("sh: 1: exec: nosuch: not found\n"), None);
}
