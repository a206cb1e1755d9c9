//! A command as the kernel wants it: made before the fork, only read after it.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use zeroize::Zeroizing;

use crate::secret::Value;
use crate::sys::Strings;
use crate::{Command, Error, Result};

/// Where programs are looked up unless the command says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Program, arguments, environment and directory of one command.
pub(crate) struct Image {
    candidates: Vec<CString>,
    argv: Vec<CString>,
    env: Vec<CString>,
    workdir: CString,
    privileges: Privileges,
}

/// Whether what is executed may gain privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privileges {
    /// From before it is executed, for good.
    Locked,
    /// As its file says: it is a program of the system's that locks them for what it executes itself.
    #[cfg(feature = "native")]
    OfFile,
}

/// The same with the arrays of pointers that `execve` takes; these belong to one thread.
#[derive(Debug)]
pub(crate) struct Bound<'a> {
    pub(crate) candidates: &'a [CString],
    pub(crate) argv: Strings<'a>,
    pub(crate) env: Strings<'a>,
    pub(crate) workdir: &'a CStr,
    pub(crate) privileges: Privileges,
}

impl Image {
    /// What runs `command` with the lane's own variables under the command's.
    pub(crate) fn new(command: &Command, lane: &[(&str, &OsStr)]) -> Result<Self> {
        let mut env: BTreeMap<OsString, OsString> = [("PATH", PATH), ("LANG", "C.UTF-8")]
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .chain(lane.iter().map(|(key, value)| (OsString::from(key), value.into())))
            .collect();
        env.extend(command.env.clone());
        let path = env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        let pairs = env.into_iter().map(|(key, value)| c_string([key.as_bytes(), b"=", value.as_bytes()].concat()));
        let secrets = command.secrets.iter().filter_map(|s| s.as_variable().map(|value| variable(s.name(), value)));
        let argv = std::iter::once(&command.program).chain(&command.args).map(|a| c_string(a.as_bytes().to_vec()));
        Ok(Self {
            candidates: candidates(&command.program, &path)?,
            argv: argv.collect::<Result<_>>()?,
            env: pairs.chain(secrets).collect::<Result<_>>()?,
            workdir: c_string(command.workdir.clone().into_os_string().into_vec())?,
            privileges: Privileges::Locked,
        })
    }

    /// A program of the system's that will execute the command: it has no variables, and may gain privileges.
    #[cfg(feature = "native")]
    pub(crate) fn wrapper(program: CString, argv: Vec<CString>) -> Self {
        let privileges = Privileges::OfFile;
        Self { candidates: vec![program], argv, env: Vec::new(), workdir: c"/".into(), privileges }
    }

    /// Each variable, as its name, a `=` and its value.
    #[cfg(feature = "native")]
    pub(crate) fn variables(&self) -> impl Iterator<Item = &[u8]> {
        self.env.iter().map(|variable| variable.to_bytes())
    }

    /// The form that can be executed; to be made before the fork.
    pub(crate) fn bind(&self) -> Bound<'_> {
        Bound {
            candidates: &self.candidates,
            argv: Strings::new(&self.argv),
            env: Strings::new(&self.env),
            workdir: &self.workdir,
            privileges: self.privileges,
        }
    }
}

/// A variable with a secret value. Room for all of it is made first, so that no copy of it is left behind by growing.
fn variable(name: &str, value: &Value) -> Result<CString> {
    let mut pair = Vec::with_capacity(name.len() + value.bytes().len() + 2);
    for part in [name.as_bytes(), b"=", value.bytes()] {
        pair.extend_from_slice(part);
    }
    CString::new(pair).map_err(|e| {
        drop(Zeroizing::new(e.into_vec()));
        Error::InvalidSpec { what: format!("the secret {name:?}"), problem: "it contains a NUL byte".into() }
    })
}

/// Secrets are among the variables.
impl Drop for Image {
    fn drop(&mut self) {
        for variable in self.env.drain(..) {
            drop(Zeroizing::new(variable.into_bytes_with_nul()));
        }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("candidates", &self.candidates).finish_non_exhaustive()
    }
}

/// The files to try for a program, in order.
fn candidates(program: &OsStr, path: &OsStr) -> Result<Vec<CString>> {
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![c_string(program.as_bytes().to_vec())?]);
    }
    let directories = path.as_bytes().split(|b| *b == b':').filter(|d| d.starts_with(b"/"));
    directories.map(|directory| c_string([directory, b"/", program.as_bytes()].concat())).collect()
}

fn c_string(bytes: Vec<u8>) -> Result<CString> {
    CString::new(bytes).map_err(|e| Error::InvalidSpec {
        what: format!("{:?}", OsStr::from_bytes(&e.clone().into_vec())),
        problem: "it contains a NUL byte".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(c: &[CString]) -> Vec<&str> {
        c.iter().map(|s| s.to_str().unwrap()).collect()
    }

    #[test]
    fn the_commands_own_path_decides_where_its_program_is_looked_up_and_relative_entries_never_do() {
        let command = Command::new("tool", "/").env("PATH", "/a:.:b::/c");
        let image = Image::new(&command, &[]).unwrap();
        assert_eq!(strings(&image.candidates), ["/a/tool", "/c/tool"]);
    }

    #[test]
    fn the_environment_is_the_lanes_under_the_commands() {
        let command = Command::new("/bin/x", "/").env("LANG", "de").env("A", "1");
        let image = Image::new(&command, &[("HOME", OsStr::new("/h"))]).unwrap();
        let path = format!("PATH={PATH}");
        assert_eq!(strings(&image.env), ["A=1", "HOME=/h", "LANG=de", &path]);
        assert_eq!(strings(&image.candidates), ["/bin/x"]);
    }
}
