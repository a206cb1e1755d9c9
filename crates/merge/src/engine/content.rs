//! Merging the content of one path.

use gix::ObjectId;
use gix::bstr::{BStr, BString};
use gix::diff::blob::{Algorithm, InternedInput};
use gix::merge::blob::Resolution;
use gix::merge::blob::builtin_driver::text::{Conflict, ConflictStyle, Labels, Options};
use gix::objs::tree::EntryKind;
use gix::objs::{Find, Kind, Write};

use super::failed;
use super::halt::{Budget, Halt};
use super::lines;
use super::similarity::is_binary;
use super::text_rules::{Driver, text_rules};
use super::tree::Entry;
use crate::graph;

/// Larger files are not merged line by line, as in git.
const LARGEST: usize = 1023 << 20;

/// The names that the markers in a virtual base have.
const VIRTUAL: [&str; 3] = ["base", "Temporary merge branch 1", "Temporary merge branch 2"];
/// The names that other markers have.
const NAMES: [&str; 3] = ["base", "target", "change"];

/// Merges contents of one merge.
pub(super) struct Contents<'s> {
    pub(super) session: &'s gix::Repository,
    pub(super) budget: &'s Budget,
    target: ObjectId,
    /// 0 for the merge itself, more for the virtual bases under it.
    pub(super) depth: u8,
}

/// What a content came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    /// Nothing, where a virtual base cannot have any of the versions.
    pub(super) entry: Option<Entry>,
    pub(super) clean: bool,
    /// Whether it conflicts because it cannot be merged line by line.
    pub(super) binary: bool,
}

/// The versions of one path: base, ours and theirs.
#[derive(Clone, Copy)]
pub(super) struct Versions<'v> {
    /// The path that attributes are looked up for.
    pub(super) path: &'v BStr,
    pub(super) base: Option<Entry>,
    pub(super) ours: Entry,
    pub(super) theirs: Entry,
    /// The names that they have on each side.
    pub(super) names: [&'v BStr; 3],
    /// How much longer than usual markers are.
    pub(super) longer: u8,
}

impl<'s> Contents<'s> {
    /// For the merge into `target`, whose attributes count.
    pub(super) fn new(session: &'s gix::Repository, budget: &'s Budget, target: ObjectId) -> Self {
        Self { session, budget, target, depth: 0 }
    }

    /// Merges two versions of like type.
    pub(super) fn merge(&mut self, versions: &Versions<'_>) -> Result<Content, Halt> {
        let Versions { base, ours, theirs, .. } = *versions;
        let original = base.map(|base| base.kind);
        let (kind, modes_agree) = if ours.kind == theirs.kind || Some(ours.kind) == original {
            (theirs.kind, true)
        } else {
            (ours.kind, Some(theirs.kind) == original)
        };
        let take = |id| Content { entry: Some(Entry { kind, id }), clean: modes_agree, binary: false };
        let before = base.map(|base| base.id);
        if ours.id == theirs.id || Some(ours.id) == before {
            return Ok(take(theirs.id));
        }
        if Some(theirs.id) == before {
            return Ok(take(ours.id));
        }
        let base = base.filter(|base| base.is_like(&ours));
        if ours.is_file() {
            let merged = self.lines(versions, base.map(|base| base.id))?;
            let entry = merged.entry.map(|id| Entry { kind, id });
            return Ok(Content { entry, clean: merged.clean && modes_agree, binary: merged.binary });
        }
        // Neither links nor submodules can be merged.
        let virtual_base = self.depth > 0;
        let entry = match kind {
            EntryKind::Link if virtual_base => versions.base,
            EntryKind::Commit if virtual_base => versions.base,
            _ => Some(Entry { kind, id: ours.id }),
        };
        Ok(Content { entry, clean: false, binary: false })
    }

    fn lines(&mut self, versions: &Versions<'_>, base: Option<ObjectId>) -> Result<Merged, Halt> {
        let (ours, theirs) = (versions.ours.id, versions.theirs.id);
        let texts = [self.read(base)?, self.read(Some(ours))?, self.read(Some(theirs))?];
        self.budget.spend(texts.iter().map(|text| text.len() as u64).sum())?;
        let rules = text_rules(self.session, self.target, versions.path)?;
        let binary = texts.iter().any(|text| is_binary(text) || text.len() > LARGEST);
        if binary || rules.driver == Driver::Binary {
            // A virtual base falls back to what was before both.
            let fallback = if base.is_some() { base } else { Some(self.write(&[])?) };
            let virtual_base = self.depth > 0;
            let id = if virtual_base { fallback } else { Some(ours) };
            return Ok(Merged { entry: id, clean: virtual_base, binary: !virtual_base });
        }
        let [first, one, other] = &texts;
        if rules.driver == Driver::Text {
            if let Some(text) = lines::merge(first, one, other) {
                return Ok(Merged { entry: Some(self.write(&text)?), clean: true, binary: false });
            }
            if self.depth == 0 {
                // Nobody sees the text of a merge that conflicts.
                return Ok(Merged { entry: Some(ours), clean: false, binary: false });
            }
        }
        let longer = rules.marker_size.saturating_add(versions.longer.into());
        let marker_size = u8::try_from(longer).unwrap_or(u8::MAX).try_into().map_err(failed("set up markers"))?;
        let conflict = match rules.driver {
            Driver::Union => Conflict::ResolveWithUnion,
            _ => Conflict::Keep { style: ConflictStyle::Merge, marker_size },
        };
        let options = Options { diff_algorithm: Algorithm::Histogram, conflict };
        let [base, ours, theirs] = &texts;
        let labels = self.labels(versions);
        let names = Labels {
            ancestor: Some(labels[0].as_ref()),
            current: Some(labels[1].as_ref()),
            other: Some(labels[2].as_ref()),
        };
        let (mut out, mut input) = (Vec::new(), InternedInput::default());
        let resolution =
            gix::merge::blob::builtin_driver::text(&mut out, &mut input, names, ours, base, theirs, options);
        Ok(Merged {
            entry: Some(self.write(&out)?),
            clean: resolution != Resolution::Conflict && rules.driver == Driver::Union,
            binary: false,
        })
    }

    fn labels(&self, versions: &Versions<'_>) -> [BString; 3] {
        let labels = if self.depth > 0 { VIRTUAL } else { NAMES };
        let names = versions.names;
        let moved = names[0] != names[1] || names[1] != names[2];
        let mut named = labels.map(BString::from);
        if moved {
            for (label, name) in named.iter_mut().zip(names) {
                label.push(b':');
                label.extend_from_slice(name);
            }
        }
        named
    }

    fn read(&self, id: Option<ObjectId>) -> Result<Vec<u8>, Halt> {
        let mut buf = Vec::new();
        if let Some(id) = id {
            let object = self.session.objects.try_find(&id, &mut buf).map_err(failed("read a file"))?;
            let object = object.ok_or_else(|| graph::missing(self.session, id, "the file"))?;
            if object.kind != Kind::Blob {
                return Err(graph::unusable(id, "it is not a file").into());
            }
            return Ok(object.data.to_vec());
        }
        Ok(buf)
    }

    fn write(&self, content: &[u8]) -> Result<ObjectId, Halt> {
        Ok(self.session.objects.write_buf(Kind::Blob, content).map_err(failed("keep a merged file"))?)
    }
}

struct Merged {
    entry: Option<ObjectId>,
    clean: bool,
    binary: bool,
}
