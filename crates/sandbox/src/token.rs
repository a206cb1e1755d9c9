//! Names that nobody can guess or have used before.

use std::fs::File;
use std::io::{Read, Result};

/// A fresh random name of 32 hexadecimal digits.
pub(crate) fn token() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
