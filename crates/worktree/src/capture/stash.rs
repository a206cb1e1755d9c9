//! Which stashes in the stack that all worktrees share were made in one of them.

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::beneath::Dir;
use super::{Input, ancestry, limits};
use crate::Result;

/// The stashes that name the branch of this worktree, or stand on one of its own commits.
pub(super) fn of(repo: &gix::Repository, common: &Dir, input: &Input, agent: ObjectId) -> Result<Vec<ObjectId>> {
    let Ok(log) = common.read(b"logs/refs/stash", limits::STASH_LOG_BYTES) else { return Ok(Vec::new()) };
    let own = ancestry::since(repo, input.base, agent)?;
    let mut found = Vec::new();
    for (id, message) in log.lines().filter_map(parse).filter(|(id, _)| id.kind() == repo.object_hash()) {
        let named = match (&input.branch, on(message)) {
            (Some(branch), Some(name)) => name == branch.as_str().as_bytes(),
            // Of a stash that was made on no branch only its base can tell.
            (None, Some(name)) => name == b"(no branch)" && first_parent(repo, id) == Some(input.base),
            (_, None) => false,
        };
        if named || first_parent(repo, id).is_some_and(|base| own.contains(&base)) {
            found.push(id);
        }
    }
    Ok(found)
}

fn parse(line: &[u8]) -> Option<(ObjectId, &[u8])> {
    let id = ObjectId::from_hex(line.split(|b| *b == b' ').nth(1)?).ok()?;
    let message = line.iter().position(|b| *b == b'\t').map_or(&[][..], |at| &line[at + 1..]);
    Some((id, message))
}

/// The branch on which a stash was made, as its message says.
fn on(message: &[u8]) -> Option<&[u8]> {
    let rest = message.strip_prefix(b"WIP on ").or_else(|| message.strip_prefix(b"On "))?;
    rest.find(b": ").map(|at| &rest[..at])
}

fn first_parent(repo: &gix::Repository, id: ObjectId) -> Option<ObjectId> {
    repo.find_commit(id).ok()?.parent_ids().next().map(gix::Id::detach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_stash_names_its_branch() {
        assert_eq!(on(b"WIP on feat/x: 0123 a: b"), Some(&b"feat/x"[..]));
        assert_eq!(on(b"On main: half: done"), Some(&b"main"[..]));
        assert_eq!(on(b"WIP on (no branch): 0123 a"), Some(&b"(no branch)"[..]));
        assert_eq!(on(b"autostash"), None);
    }
}
