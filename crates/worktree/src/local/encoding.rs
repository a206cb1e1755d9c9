//! Finds files in an encoding that cannot be written faithfully, before a tree is made of them.

use gix::attrs::StateRef;
use gix::worktree::stack::state::attributes::Source;

use crate::capture::fault;
use crate::{Error, Result};

const ATTRIBUTE: &str = "working-tree-encoding";

/// Refuses a commit with files in UTF-16 or UTF-32 in the worktree: the library would write them as UTF-8, and git would
/// then read nonsense from them.
pub(super) fn check(repo: &gix::Repository, index: &gix::index::State) -> Result<()> {
    if !is_used(repo, index) {
        return Ok(());
    }
    let mut stack =
        repo.attributes_only(index, Source::IdMapping).map_err(fault::git("read the attributes of the commit"))?;
    let mut matches = stack.selected_attribute_matches([ATTRIBUTE]);
    for entry in index.entries() {
        let path = entry.path(index);
        let at =
            stack.at_entry(path, Some(entry.mode)).map_err(fault::git(format!("read the attributes of {path}")))?;
        at.matching_attributes(&mut matches);
        let wide = matches.iter_selected().find_map(|found| match found.assignment.state {
            StateRef::Value(value) => Some(value.as_bstr().to_string()).filter(|value| is_wide(value)),
            _ => None,
        });
        if let Some(encoding) = wide {
            let problem = format!(
                "{path} has the attribute {ATTRIBUTE}={encoding}, which cannot be written here; without that \
                 attribute the file is checked out as it is stored"
            );
            return Err(Error::Repository { path: repo.common_dir().to_owned(), problem });
        }
    }
    Ok(())
}

fn is_wide(encoding: &str) -> bool {
    let name = encoding.to_ascii_lowercase();
    ["utf-16", "utf16", "utf-32", "utf32", "ucs"].iter().any(|wide| name.starts_with(wide))
}

/// Whether any attribute file mentions the attribute at all; nearly none does.
fn is_used(repo: &gix::Repository, index: &gix::index::State) -> bool {
    let mentions = |text: &[u8]| text.windows(ATTRIBUTE.len()).any(|part| part == ATTRIBUTE.as_bytes());
    let info = repo.common_dir().join("info/attributes");
    if std::fs::read(info).is_ok_and(|text| mentions(&text)) {
        return true;
    }
    index.entries().iter().any(|entry| {
        let path = entry.path(index);
        let named = path == ".gitattributes" || path.ends_with(b"/.gitattributes");
        named && repo.find_blob(entry.id).is_ok_and(|blob| mentions(&blob.data))
    })
}
