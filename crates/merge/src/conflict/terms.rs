//! The versions that do not fit together, as a sum.

use serde::{Deserialize, Serialize};

use crate::RepoPath;

/// What a tree has at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// Its name there. Sides that renamed it have another one than the base.
    pub path: RepoPath,
    /// The git mode, for example `0o100644`.
    pub mode: u32,
    /// The object id, in hexadecimal digits.
    pub id: String,
}

/// An odd number of versions: what the result should have of each side, less what they have in common.
///
/// In most conflicts that is ours and theirs, less the base. Where histories crossed, each merge base is taken off and what
/// the bases have in common is added again, as often as it takes; equal ones on both sides of the sum are left out. A
/// version is `None` where the path does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Sum", into = "Sum")]
pub struct Terms {
    adds: Vec<Option<Entry>>,
    removes: Vec<Option<Entry>>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Sum {
    adds: Vec<Option<Entry>>,
    removes: Vec<Option<Entry>>,
}

impl Terms {
    /// Ours and theirs, less the base.
    pub fn three_way(base: Option<Entry>, ours: Option<Entry>, theirs: Option<Entry>) -> Self {
        Self { adds: vec![ours, theirs], removes: vec![base] }
    }

    /// Ours, theirs and further versions to add, less one version fewer. What is in both is left out, but never ours and
    /// theirs.
    pub(crate) fn sum(
        ours: Option<Entry>,
        theirs: Option<Entry>,
        further: Vec<Option<Entry>>,
        mut removes: Vec<Option<Entry>>,
    ) -> Self {
        let mut adds = vec![ours, theirs];
        for add in further {
            match removes.iter().position(|remove| *remove == add) {
                Some(same) => _ = removes.remove(same),
                None => adds.push(add),
            }
        }
        Self { adds, removes }
    }

    /// The versions to add: ours, theirs, and what merge bases have in common.
    pub fn adds(&self) -> &[Option<Entry>] {
        &self.adds
    }

    /// The versions to take off: the base, or each of several. One fewer than there are to add.
    pub fn removes(&self) -> &[Option<Entry>] {
        &self.removes
    }

    /// The version on the target.
    pub fn ours(&self) -> Option<&Entry> {
        self.adds[0].as_ref()
    }

    /// The version in the change.
    pub fn theirs(&self) -> Option<&Entry> {
        self.adds[1].as_ref()
    }

    /// The first of the versions that are taken off.
    pub fn base(&self) -> Option<&Entry> {
        self.removes[0].as_ref()
    }
}

impl TryFrom<Sum> for Terms {
    type Error = &'static str;
    fn try_from(Sum { adds, removes }: Sum) -> Result<Self, &'static str> {
        if adds.len() < 2 || adds.len() != removes.len() + 1 {
            return Err("a conflict has at least two versions to add, and one fewer to take off");
        }
        Ok(Self { adds, removes })
    }
}

impl From<Terms> for Sum {
    fn from(Terms { adds, removes }: Terms) -> Self {
        Self { adds, removes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Option<Entry> {
        Some(Entry { path: RepoPath::new("f"), mode: 0o100_644, id: id.into() })
    }

    #[test]
    fn what_is_added_and_taken_off_is_left_out() {
        // The bases come from one version that the second of them still has.
        let terms = Terms::sum(entry("o"), entry("t"), vec![entry("x")], vec![entry("a"), entry("x")]);
        assert_eq!(terms, Terms::three_way(entry("a"), entry("o"), entry("t")));
        let terms = Terms::sum(entry("o"), entry("t"), vec![entry("x")], vec![entry("a"), entry("b")]);
        assert_eq!((terms.adds().len(), terms.removes().len()), (3, 2));
    }

    #[test]
    fn an_even_number_of_terms_is_no_conflict() {
        let read = |text: &str| serde_json::from_str::<Terms>(text);
        assert!(read(r#"{"adds":[null,null],"removes":[null]}"#).is_ok());
        for bad in [r#"{"adds":[null],"removes":[]}"#, r#"{"adds":[null,null],"removes":[null,null]}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
