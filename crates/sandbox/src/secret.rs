//! Values that one command gets, and that nothing else shows.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::{Command, Error, Result};

/// The largest value.
const LARGEST: usize = 64 << 10;
const LONGEST_NAME: usize = 100;

/// A value for one command: a key, a token, a certificate.
///
/// It is given as a variable or as a file, to this command and to no other. Debugging, serialising and every message of
/// this crate show its name alone; its memory is overwritten when it is dropped. A file is the better way: what is in a
/// process's environment is inherited by all that it starts, and can be read by the same user and by root outside.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    name: String,
    value: Value,
    way: Way,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    Variable,
    File { variable: Option<String> },
}

/// Bytes that are shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Value(Zeroizing<Vec<u8>>);

impl Value {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Whether the values of a command's secrets are taken out of its output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redact {
    /// Each occurrence is replaced by `[secret NAME]`. Only the value as it is, without white space at its ends, and only
    /// one of eight bytes or more: a program that means to can print it in another form, or cut it up.
    #[default]
    Values,
    /// Output is delivered as it comes.
    Nothing,
}

impl Secret {
    /// A secret that the command gets as the variable `name`.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] when no variable can have this name or this value, or when it is larger than 64 KiB.
    pub fn variable(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Result<Self> {
        let secret = Self::new(name.into(), value.into(), Way::Variable)?;
        if !is_variable(&secret.name) {
            return Err(secret.problem("a variable has letters, digits and '_', and does not begin with a digit"));
        }
        if secret.value.bytes().contains(&0) {
            return Err(secret.problem("no variable can hold a NUL byte; use a file"));
        }
        Ok(secret)
    }

    /// A secret that the command gets as the file `/run/secrets/NAME`, readable for its user only, in memory only, gone with
    /// the command. The host lane, which cannot have a path of its own, puts it elsewhere; see [`path_in`](Self::path_in).
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] when no such file can have this name, or when it is larger than 64 KiB.
    pub fn file(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Result<Self> {
        let secret = Self::new(name.into(), value.into(), Way::File { variable: None })?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if secret.name.starts_with('.') || !secret.name.chars().all(plain) {
            return Err(secret.problem("use letters, digits, '.', '_' or '-', and no '.' in front"));
        }
        Ok(secret)
    }

    /// The same file, with its path told in this variable.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] when no variable can have this name, or when the secret is one itself.
    pub fn path_in(mut self, variable: impl Into<String>) -> Result<Self> {
        let told = variable.into();
        if self.way == Way::Variable {
            return Err(self.problem("it is a variable and has no path"));
        }
        if !is_variable(&told) {
            return Err(self.problem("the variable for its path has letters, digits and '_', and no digit in front"));
        }
        self.way = Way::File { variable: Some(told) };
        Ok(self)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn new(name: String, value: Vec<u8>, way: Way) -> Result<Self> {
        let value = Value(Zeroizing::new(value));
        let secret = Self { name, value, way };
        if !(1..=LONGEST_NAME).contains(&secret.name.len()) {
            return Err(secret.problem("a name has 1 to 100 characters"));
        }
        if secret.value.bytes().len() > LARGEST {
            return Err(secret.problem("it is larger than 64 KiB; mount a file for so much"));
        }
        Ok(secret)
    }

    fn problem(&self, problem: &str) -> Error {
        Error::InvalidSpec { what: format!("the secret {:?}", self.name), problem: problem.into() }
    }

    /// The value, if it is given as the variable of its name.
    pub(crate) fn as_variable(&self) -> Option<&Value> {
        (self.way == Way::Variable).then_some(&self.value)
    }

    /// The content, if it is given as a file.
    pub(crate) fn as_file(&self) -> Option<&Value> {
        matches!(self.way, Way::File { .. }).then_some(&self.value)
    }

    /// The variable that tells the path, with the path, when the files lie in `directory`.
    pub(crate) fn told(&self, directory: &Path) -> Option<(&str, PathBuf)> {
        match &self.way {
            Way::File { variable: Some(variable) } => Some((variable, directory.join(&self.name))),
            _ => None,
        }
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Refuses secrets of which one would hide another, or a variable of the command's.
#[cfg(any(target_os = "linux", feature = "docker"))]
pub(crate) fn check(command: &Command) -> Result<()> {
    let mut files = BTreeSet::new();
    let mut variables: BTreeSet<&OsStr> = command.env.keys().map(AsRef::as_ref).collect();
    for secret in &command.secrets {
        let variable = match &secret.way {
            Way::Variable => Some(&secret.name),
            Way::File { variable } => variable.as_ref(),
        };
        let free = variable.is_none_or(|name| variables.insert(OsStr::new(name)));
        if !free || secret.as_file().is_some() && !files.insert(&secret.name) {
            return Err(secret.problem("the command has a variable or another secret of that name already"));
        }
    }
    Ok(())
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).field("way", &self.way).finish_non_exhaustive()
    }
}

/// Its name alone.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_its_name_and_never_its_value() {
        let secrets = [
            Secret::variable("API_KEY", "s3cret-value").unwrap(),
            Secret::file("token.pem", "s3cret-value").unwrap().path_in("TOKEN_FILE").unwrap(),
        ];
        let mut command = Command::new("x", "/");
        command.secrets = secrets.to_vec();
        let shown = format!("{command:?} {:#?} {:?}", command.secrets, secrets[0].value());
        assert!(shown.contains("API_KEY") && shown.contains("token.pem"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(!shown.contains("115, 51"), "nor as numbers: {shown}");
    }

    #[test]
    fn what_cannot_be_given_is_refused_without_showing_it() {
        let long = "s3cret".repeat(20_000);
        let errors = [
            Secret::variable("1A", "s3cret"),
            Secret::variable("A-B", "s3cret"),
            Secret::variable("", "s3cret"),
            Secret::variable("A", "s3cret\0"),
            Secret::variable("A", long),
            Secret::file("../x", "s3cret"),
            Secret::file(".x", "s3cret"),
            Secret::file("a/b", "s3cret"),
            Secret::file("x".repeat(101), "s3cret"),
            Secret::file("a", "s3cret").unwrap().path_in("A=B"),
            Secret::variable("A", "s3cret").unwrap().path_in("B"),
        ];
        for error in errors {
            let error = error.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    #[test]
    #[cfg(any(target_os = "linux", feature = "docker"))]
    fn a_secret_that_would_hide_something_is_refused() {
        let variable = |name| Secret::variable(name, "v").unwrap();
        let file = |name, told| Secret::file(name, "v").unwrap().path_in(told).unwrap();
        let with = |secrets: Vec<Secret>| {
            let mut command = Command::new("x", "/").env("TAKEN", "1");
            command.secrets = secrets;
            check(&command).is_ok()
        };
        assert!(with(vec![variable("A"), file("A", "B")]), "a variable and a file are two things");
        assert!(!with(vec![variable("TAKEN")]));
        assert!(!with(vec![file("f", "TAKEN")]));
        assert!(!with(vec![variable("A"), variable("A")]));
        assert!(!with(vec![file("f", "A"), file("f", "B")]));
        assert!(!with(vec![variable("A"), file("f", "A")]));
    }
}
