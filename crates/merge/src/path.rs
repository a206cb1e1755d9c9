//! Paths in a tree, without loss.

use std::fmt::{self, Write};
use std::str::FromStr;

use gix::bstr::BStr;
use serde::{Deserialize, Serialize};

/// A path relative to the root of a tree, with `/`, as the bytes that git has.
///
/// As text, a backslash is `\\`, and a control character or a byte that is no UTF-8 is `\x` with two digits; everything
/// else is itself. That is also how it is stored, so that no two paths look alike and none is lost.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(Vec<u8>);

/// A text that is no [`RepoPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEscape;

impl RepoPath {
    /// Takes the bytes of a path.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The path as the engine has it.
    pub(crate) fn of(path: &BStr) -> Self {
        Self(path.to_vec())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it has no bytes: the root itself.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                    c => f.write_char(c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl FromStr for RepoPath {
    type Err = BadEscape;
    fn from_str(text: &str) -> Result<Self, BadEscape> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            (bytes, rest) = match (first, after) {
                (b'\\', [b'\\', after @ ..]) => (with(bytes, b'\\'), after),
                (b'\\', [b'x', high, low, after @ ..]) => {
                    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(BadEscape);
                    let byte = digit(*high)? * 16 + digit(*low)?;
                    (with(bytes, u8::try_from(byte).map_err(|_| BadEscape)?), after)
                }
                (b'\\', _) => return Err(BadEscape),
                (other, after) => (with(bytes, *other), after),
            };
        }
        Ok(Self(bytes))
    }
}

fn with(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}

impl TryFrom<String> for RepoPath {
    type Error = BadEscape;
    fn try_from(text: String) -> Result<Self, BadEscape> {
        text.parse()
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> String {
        path.to_string()
    }
}

impl fmt::Display for BadEscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a backslash in a path is followed by another one, or by x and two hexadecimal digits")
    }
}

impl std::error::Error for BadEscape {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_itself_unless_it_cannot_be_shown() {
        assert_eq!(RepoPath::new("src/ä.rs").to_string(), "src/ä.rs");
        assert_eq!(RepoPath::new(*b"a\xffb\\c\n").to_string(), "a\\xffb\\\\c\\x0a");
        for bad in ["\\", "\\x", "\\x1", "\\xzz", "\\n"] {
            assert_eq!(bad.parse::<RepoPath>(), Err(BadEscape), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_survive_being_stored(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let path = RepoPath::new(bytes.clone());
            let stored = serde_json::to_string(&path).unwrap();
            let read: RepoPath = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(read.as_bytes(), bytes);
        }
    }
}
