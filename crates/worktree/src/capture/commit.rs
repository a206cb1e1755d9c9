//! The commit of what lay uncommitted in the tree.

use gix::ObjectId;
use gix::actor::Signature;
use gix::objs::{Commit, Kind, WriteTo};

use super::tree::{Changes, Tree};
use super::{Input, ancestry, base, differ, edit, fault, rescue};
use crate::{Message, Result};

/// The commits that a snapshot may be put upon.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    pub(super) repo: &'a gix::Repository,
    /// The agent's last commit, or the base.
    pub(super) agent: ObjectId,
    pub(super) of_agent: &'a Tree<'a>,
    /// What the branch names, or should name.
    pub(super) previous: Option<ObjectId>,
}

/// Where the captured content is.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) tip: ObjectId,
    /// The commit that holds what was not committed by the agent.
    pub(super) snapshot: Option<ObjectId>,
    /// What the tree of the tip has other than the base, if it is another one than was captured.
    pub(super) content: Option<Changes>,
}

impl Lines<'_> {
    /// Finds or makes the commit that has this content.
    ///
    /// A snapshot that an earlier capture left on the branch is used again, or built upon, as long as the agent has not
    /// committed since; so the branch only moves forward.
    pub(super) fn place(&self, content: &Tree<'_>, message: &Message) -> Result<Placed> {
        let dirty = content.changes() != self.of_agent.changes();
        let Some((earlier, changes)) = self.earlier()? else {
            let snapshot = if dirty { Some(self.commit(self.agent, content, message)?) } else { None };
            return Ok(Placed { tip: snapshot.unwrap_or(self.agent), snapshot, content: None });
        };
        if changes == *content.changes() {
            return Ok(Placed { tip: earlier, snapshot: dirty.then_some(earlier), content: None });
        }
        if self.is_ours(earlier, message)? {
            let tip = self.commit(earlier, content, message)?;
            return Ok(Placed { tip, snapshot: Some(tip), content: None });
        }
        // Somebody else went on from the agent's commit. Their work is not undone: what is new stands beside it.
        if dirty {
            let tip = self.commit(self.agent, content, message)?;
            return Ok(Placed { tip, snapshot: Some(tip), content: None });
        }
        Ok(Placed { tip: earlier, snapshot: None, content: Some(changes) })
    }

    /// The branch's commit, if it goes on from the agent's.
    fn earlier(&self) -> Result<Option<(ObjectId, Changes)>> {
        let Some(previous) = self.previous.filter(|id| *id != self.agent) else { return Ok(None) };
        if !self.repo.has_object(previous) || !ancestry::contains(self.repo, previous, self.agent)? {
            return Ok(None);
        }
        let root = base::root(self.repo, previous);
        let changes = root.and_then(|root| differ::changes(self.repo, self.of_agent.base().root(), root));
        Ok(changes.ok().map(|changes| (previous, changes)))
    }

    /// Whether all commits after the agent's were made by captures with the same author.
    fn is_ours(&self, earlier: ObjectId, message: &Message) -> Result<bool> {
        are_ours(self.repo, self.agent, earlier, message)
    }

    fn commit(&self, parent: ObjectId, content: &Tree<'_>, message: &Message) -> Result<ObjectId> {
        let who = signature(message);
        let mut text = message.text.replace('\0', "");
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let commit = Commit {
            tree: content.write(self.repo)?,
            parents: [parent].into_iter().collect(),
            author: who.clone(),
            committer: who,
            encoding: None,
            message: text.into(),
            extra_headers: Vec::new(),
        };
        let mut data = Vec::new();
        commit.write_to(&mut data).map_err(fault::git("encode a commit"))?;
        edit::put(self.repo, Kind::Commit, &data)
    }
}

/// What earlier captures made of the branch's commit without being able to move the branch, because another checkout was
/// on it; what they made of the agent's last one only.
pub(super) fn in_place_of(
    repo: &gix::Repository,
    input: &Input,
    branch: Option<ObjectId>,
    agent: ObjectId,
    message: &Message,
) -> Result<Option<ObjectId>> {
    let Some(branch) = branch else { return Ok(None) };
    let Some((_, held)) = rescue::held(&input.common, &input.id)? else { return Ok(None) };
    let goes_on = held != branch && repo.has_object(held) && ancestry::contains(repo, held, branch)?;
    let ours = goes_on && ancestry::contains(repo, held, agent)? && are_ours(repo, agent, held, message)?;
    Ok(ours.then_some(held))
}

/// Whether all commits after the agent's were made by captures with the same author.
fn are_ours(repo: &gix::Repository, agent: ObjectId, earlier: ObjectId, message: &Message) -> Result<bool> {
    let who = signature(message);
    for id in ancestry::since(repo, agent, earlier)? {
        let commit = repo.find_commit(id).map_err(fault::git("read a commit"))?;
        let committer = commit.committer().map_err(fault::git("read a commit"))?;
        if committer.name != who.name || committer.email != who.email {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Who commits, now; without the characters that git's format has no place for.
pub(super) fn signature(message: &Message) -> Signature {
    let clean = |text: &str| {
        let text: String = text.chars().filter(|c| !matches!(c, '<' | '>') && !c.is_control()).collect();
        text.trim().to_owned()
    };
    Signature {
        name: clean(&message.name).into(),
        email: clean(&message.email).into(),
        time: gix::date::Time::now_utc(),
    }
}
