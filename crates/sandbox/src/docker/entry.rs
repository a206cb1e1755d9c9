//! What goes before a program that has secrets, or a proxy that must be there first; pure.
//!
//! Whatever an engine is told about a container it shows to everybody who may ask it, and keeps in its files. Standard input is
//! kept nowhere. So a shell in the container reads some lines from there, which make the variables and files, and then becomes
//! the program, which finds its own input behind them. It reads byte by byte and takes none of that. Without the last of its
//! lines, it does not run the program.

use std::path::Path;

use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::{Command, Error, Network, Result, Spec};

/// Where the files of secrets are.
pub(super) const SECRETS: &str = "/run/secrets";

/// Speaks like the init about a program that is not there, so that it is heard like the init. `printf` has to be the shell's
/// own, because the arguments of a program can be seen.
const SCRIPT: &str = r#"[ "$(command -v printf)" = printf ] || { echo "[FATAL tini (1)] exec sh failed: its printf is a program, and would show secrets" >&2; exit 126; }
_no() { echo "[FATAL tini (1)] exec sh failed: $1" >&2; exit 125; }
while :; do
IFS= read -r _line || _no "its input broke off before it was told everything"
[ "$_line" = . ] && break
{ eval "$_line"; } 2>/dev/null || _no "a secret could not be made"
done
unset -f _no
unset _line
command -v -- "$1" >/dev/null || { echo "[FATAL tini (1)] exec $1 failed: No such file or directory" >&2; exit 127; }
exec "$@""#;

/// Whether the command needs it.
pub(super) fn is_needed(spec: &Spec, command: &Command) -> bool {
    let listed = matches!(&spec.policy.network, Network::Only(list) if !list.is_empty());
    listed || !command.secrets.is_empty()
}

/// The entry point and the arguments that come before those of the command.
pub(super) fn line(program: String) -> (Vec<String>, Vec<String>) {
    let shell = ["/bin/sh", "-c", SCRIPT, "sh"].map(str::to_owned).to_vec();
    (shell, vec![program])
}

/// What the shell reads, and then what the program reads.
pub(super) fn input(spec: &Spec, command: &Command) -> Zeroizing<Vec<u8>> {
    if !is_needed(spec, command) {
        return Zeroizing::new(command.stdin.clone());
    }
    let secrets = secrets(command);
    let mut lines = Zeroizing::new(Vec::with_capacity(secrets.len() + command.stdin.len() + 2));
    lines.extend_from_slice(&secrets);
    lines.extend_from_slice(b".\n");
    lines.extend_from_slice(&command.stdin);
    lines
}

/// The lines that make the secrets of a command.
pub(super) fn secrets(command: &Command) -> Zeroizing<Vec<u8>> {
    // Never made larger, which would leave a copy behind.
    let size: usize = command.secrets.iter().map(|secret| 4 * secret.value().bytes().len() + 1024).sum();
    let mut lines = Zeroizing::new(Vec::with_capacity(size));
    for secret in &command.secrets {
        for part in parts(secret) {
            match part {
                Part::Text(text) => lines.extend_from_slice(text.as_bytes()),
                Part::Value(value) => value.iter().for_each(|byte| lines.extend_from_slice(&octal(*byte))),
            }
        }
        if let Some((variable, path)) = secret.told(Path::new(SECRETS)) {
            lines.extend_from_slice(format!("export {variable}={}\n", path.display()).as_bytes());
        }
    }
    lines
}

enum Part<'s> {
    Text(String),
    Value(&'s [u8]),
}

/// The pieces of the line that makes a secret. Names have letters, digits, `.`, `_` and `-` only.
fn parts(secret: &Secret) -> [Part<'_>; 3] {
    let (name, value) = (secret.name(), secret.value().bytes());
    let (before, behind) = if secret.as_file().is_some() {
        let made = format!("> {SECRETS}/{name} && umask \"$_mask\" && unset _mask\n");
        ("_mask=$(umask) && umask 377 && printf '".to_owned(), format!("' {made}"))
    } else {
        // A substitution loses line ends, so the value does not end there.
        (format!("{name}=$(printf '"), format!(".') && {name}=${{{name}%.}} && export {name}\n"))
    };
    [Part::Text(before), Part::Value(value), Part::Text(behind)]
}

fn octal(byte: u8) -> [u8; 4] {
    [b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)]
}

/// Refuses what would write a secret into a directory of the host.
pub(super) fn check(spec: &Spec, command: &Command) -> Result<()> {
    let Some(secret) = command.secrets.iter().find(|secret| secret.as_file().is_some()) else { return Ok(()) };
    let place = Path::new(SECRETS);
    let covers = |target: &Path| place.starts_with(target) || target.starts_with(place);
    match spec.mounts.iter().find(|mount| covers(&mount.target)) {
        None => Ok(()),
        Some(mount) => {
            let what = format!("the secret {:?}", secret.name());
            let problem = format!("the mount at {} covers its place; mount it elsewhere", mount.target.display());
            Err(Error::InvalidSpec { what, problem })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command as Direct, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::{Labels, Policy, SandboxId};

    fn spec() -> Spec {
        let id = SandboxId::new("s").expect("valid");
        Spec { id, labels: Labels::new(), policy: Policy::strict(), mounts: vec![], home: None }
    }

    /// What the program prints, run by this machine's own shell.
    fn run(command: &Command, stdin: &[u8]) -> (Option<i32>, Vec<u8>, String) {
        let (entry, mut args) = line(command.program.to_str().expect("text").to_owned());
        args.extend(command.args.iter().map(|arg| arg.to_str().expect("text").to_owned()));
        let mut shell = Direct::new(&entry[0]);
        shell.args(&entry[1..]).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn().expect("a shell");
        child.stdin.take().expect("a pipe").write_all(stdin).expect("all is read");
        let output = child.wait_with_output().expect("an end");
        (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    #[test]
    fn any_value_arrives_as_it_is_and_the_programs_own_input_is_whole() {
        let values: [&[u8]; 7] = [
            b"plain",
            b"",
            b"'\"$(echo bad)`x`\\n%s%%",
            b"lines\nand\n\n",
            b" spaces ",
            &[255, 254, 1, 13, 10, 9],
            b".\n",
        ];
        for value in values {
            let secret = Secret::variable("KEY", value).expect("a value");
            let command = Command::new("/bin/sh", "/").args(["-c", "printf %s \"$KEY\"; printf '|'; cat"]);
            let command = command.stdin(b"own\ninput\n.\n".as_slice()).secret(secret);
            let seen = run(&command, &input(&spec(), &command));
            let expected = [value, b"|own\ninput\n.\n"].concat();
            assert_eq!((seen.0, seen.1, seen.2.as_str()), (Some(0), expected, ""));
        }
    }

    #[test]
    fn without_its_last_line_the_program_does_not_run() {
        let command = Command::new("echo", "/").args(["ran"]).secret(Secret::variable("KEY", "v").expect("a value"));
        let whole = input(&spec(), &command);
        for cut in 0..whole.len() - 1 {
            let (code, out, said) = run(&command, &whole[..cut]);
            assert_eq!((code, out.as_slice()), (Some(125), b"".as_slice()), "{cut}");
            let error =
                super::super::end::never_started(125, Some(said.as_bytes()), Duration::ZERO, Path::new("echo"), "i");
            assert!(error.is_some(), "taken for an end of the program's own: {said}");
        }
        assert_eq!(run(&command, &whole).1, b"ran\n");
    }

    #[test]
    fn a_program_that_is_not_there_is_told_of_as_by_the_init() {
        let mut command = Command::new("/no/such", "/").secret(Secret::variable("KEY", "v").expect("a value"));
        for program in ["/no/such", "no-such-program", "--help", "/"] {
            command.program = program.into();
            let (code, _, said) = run(&command, &input(&spec(), &command));
            if program == "/" {
                assert_ne!(code, Some(0));
                continue;
            }
            assert_eq!(code, Some(127), "{program}: {said}");
            assert!(super::super::end::init_failed(Some(said.as_bytes())).is_some(), "{said}");
        }
    }

    #[test]
    fn nothing_goes_before_a_command_without_secrets_and_list() {
        let command = Command::new("cat", "/").stdin("x");
        assert!(!is_needed(&spec(), &command));
        assert_eq!(*input(&spec(), &command), b"x");
    }
}
