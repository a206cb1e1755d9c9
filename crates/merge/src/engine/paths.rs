//! What a change may bring into a tree.

use gix::bstr::ByteSlice;
use gix::validate::path::component::{Mode, Options};

use super::changes::Changes;
use crate::{Result, graph};

/// Names that stand for `.git` on any file system are refused everywhere: what lands is cloned to others.
const RULES: Options = Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };

/// Refuses entries that no checkout may hold. Only what the change brings is looked at.
pub(super) fn check(theirs: &Changes) -> Result<()> {
    for (path, mode, id) in &theirs.brought {
        // Directories are entries of their own here, so the last name of each path covers all of them.
        let name = path.rfind_byte(b'/').map_or(path.as_bstr(), |slash| path[slash + 1..].as_bstr());
        let link = mode.is_link().then_some(Mode::Symlink);
        if let Err(problem) = gix::validate::path::component(name, link, RULES) {
            return Err(graph::unusable(id, format!("the change puts it at {:?}: {problem}", path.to_str_lossy())));
        }
    }
    Ok(())
}
