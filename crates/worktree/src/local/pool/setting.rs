//! What the files of a tree depend on besides its commit.

use gix::objs::Kind;

use crate::Result;
use crate::capture::fault;

/// A digest of the settings that say how files are written.
pub(super) fn digest(repo: &gix::Repository) -> Result<String> {
    let mut text = Vec::new();
    let config = repo.config_snapshot();
    for section in config.plumbing().sections_by_name("core").into_iter().flatten() {
        for (name, value) in section.body() {
            text.extend_from_slice(name.to_string().to_ascii_lowercase().as_bytes());
            text.push(b'=');
            text.extend_from_slice(&value);
            text.push(b'\n');
        }
    }
    for file in ["info/attributes", "info/sparse-checkout"] {
        text.push(0);
        text.extend(std::fs::read(repo.common_dir().join(file)).unwrap_or_default());
    }
    hash(repo, &text)
}

/// A digest of any bytes.
pub(super) fn hash(repo: &gix::Repository, bytes: &[u8]) -> Result<String> {
    let id = gix::objs::compute_hash(repo.object_hash(), Kind::Blob, bytes).map_err(fault::git("hash the settings"))?;
    Ok(id.to_string())
}
