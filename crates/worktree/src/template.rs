//! From the name of a task to the names of its worktree and branch.

use gix::bstr::ByteSlice;

use crate::{Base, BranchName, Error, NameKind, Request, Result, WorktreeId};

/// What stands for the task in a template.
const PLACE: &str = "{task}";
/// The longest id of a worktree.
const LONGEST_ID: usize = 64;
/// The longest name of a branch.
const LONGEST_BRANCH: usize = 200;

/// A pattern for the names of branches, such as `agent/{task}`; checked once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchTemplate {
    before: String,
    after: String,
}

/// What [`create`](crate::WorktreeManager::create) does when the id, the branch or the path of a request is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collision {
    /// It fails with [`Error::Occupied`](crate::Error::Occupied).
    #[default]
    Refuse,
    /// It appends `-2`, `-3` and so on to both names, until both are free or a hundred were tried.
    Number,
}

impl BranchTemplate {
    /// Checks the text and makes it a template: `{task}` must be in it exactly once, and no other brace.
    ///
    /// # Errors
    /// [`Error::InvalidName`] with what is wrong and what is expected.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref();
        let refuse = |problem| Error::InvalidName { what: NameKind::BranchTemplate, name: text.to_owned(), problem };
        let Some((before, after)) = text.split_once(PLACE) else {
            return Err(refuse("write {task} where the name of the task shall be, as in 'agent/{task}'"));
        };
        if after.contains(PLACE) {
            return Err(refuse("write {task} only once"));
        }
        if before.contains(['{', '}']) || after.contains(['{', '}']) {
            return Err(refuse("{task} is the only thing in braces that is known"));
        }
        if before.len() + after.len() > LONGEST_BRANCH / 2 {
            return Err(refuse("use at most 100 bytes beside {task}"));
        }
        let template = Self { before: before.to_owned(), after: after.to_owned() };
        template.with("x").map_err(|_| refuse("git would refuse the branch names (see git-check-ref-format)"))?;
        Ok(template)
    }

    /// The name of the branch for a task, whose name may be any text: what git would refuse becomes `-`, as in the names
    /// that git makes up for worktrees. A name that is too long is cut.
    ///
    /// # Errors
    /// [`Error::InvalidName`] when nothing of the task's name is left.
    pub fn fill(&self, task: &str) -> Result<BranchName> {
        let problem = "give the task a name with letters or digits in it";
        let refuse = || Error::InvalidName { what: NameKind::Task, name: task.to_owned(), problem };
        let clean = gix::validate::reference::name_partial_or_sanitize(task.trim().as_bytes().as_bstr());
        // A component never begins or ends with what it joins to, so that two templates never make one name.
        let clean = clean.to_str_lossy().replace(['{', '}', '\''], "-");
        let clean = clean.trim_matches(['-', '.', '/']);
        if !clean.contains(char::is_alphanumeric) {
            return Err(refuse());
        }
        let room = LONGEST_BRANCH - self.before.len() - self.after.len();
        let cut = cut(clean, room);
        self.with(cut.strip_suffix(".lock").unwrap_or(cut).trim_end_matches(['-', '.', '/'])).map_err(|_| refuse())
    }

    fn with(&self, task: &str) -> Result<BranchName> {
        BranchName::new(format!("{}{task}{}", self.before, self.after))
    }
}

impl Request {
    /// A request for a task of any name: an id made of that name, and a branch by the template.
    ///
    /// Two tasks whose names differ only in what git refuses get the same names; [`Collision::Number`] tells them apart.
    ///
    /// # Errors
    /// [`Error::InvalidName`] when the name has no letter or digit from which an id could be made.
    pub fn task(task: &str, template: &BranchTemplate, base: Base) -> Result<Self> {
        Ok(Self::new(id(task)?, template.fill(task)?, base))
    }

    /// This request with the number appended to its names.
    pub(crate) fn numbered(&self, number: usize) -> Result<Self> {
        let suffix = format!("-{number}");
        let mut request = self.clone();
        let stem = |text: &str, most: usize| {
            let stem = cut(text, most - suffix.len()).trim_end_matches(['-', '.']);
            format!("{stem}{suffix}")
        };
        request.id = WorktreeId::new(stem(self.id.as_str(), LONGEST_ID))?;
        if let crate::Head::Branch(name) = &self.head {
            request.head = crate::Head::Branch(BranchName::new(stem(name.as_str(), LONGEST_BRANCH))?);
        }
        Ok(request)
    }
}

/// The id for a task: its letters and digits, everything else as single `-`.
fn id(task: &str) -> Result<WorktreeId> {
    let mut text = String::new();
    for c in task.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => text.push(c),
            '_' | '.' if !text.is_empty() && !text.ends_with(['.', '-']) => text.push(c),
            _ if !text.is_empty() && !text.ends_with(['.', '-']) => text.push('-'),
            _ => {}
        }
    }
    let cut = cut(&text, LONGEST_ID).trim_end_matches(['-', '.']);
    let name = cut.strip_suffix(".lock").unwrap_or(cut).trim_end_matches(['-', '.']);
    WorktreeId::new(name).map_err(|_| Error::InvalidName {
        what: NameKind::Task,
        name: task.to_owned(),
        problem: "no worktree id can be made of it; use ASCII letters or digits, or give an id of your own",
    })
}

/// The first bytes of the text, whole characters only.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template(text: &str) -> BranchTemplate {
        BranchTemplate::new(text).unwrap()
    }

    #[test]
    fn a_template_that_could_never_name_a_branch_is_refused_when_it_is_made() {
        for bad in ["", "agent", "agent/<task>", "{task}/{task}", "{task}/{run}", "a..b/{task}", "/{task}", "{task}/"] {
            assert!(matches!(BranchTemplate::new(bad), Err(Error::InvalidName { .. })), "{bad:?}");
        }
        for bad in
            ["-{task}", "refs/heads/{task}", "a b/{task}", "{task}.lock", &format!("{}{{task}}", "x".repeat(101))]
        {
            assert!(BranchTemplate::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_git_refuses_in_a_name_becomes_a_dash() {
        let template = template("agent/{task}");
        let name = |task: &str| template.fill(task).unwrap().to_string();
        assert_eq!(name("fix-42"), "agent/fix-42");
        assert_eq!(name("  we ird.lock "), "agent/we-ird");
        assert_eq!(name("Fix: the [parser]?"), "agent/Fix--the--parser]");
        assert_eq!(name("a..b@{1}"), "agent/a.b@-1");
        assert_eq!(name("-x"), "agent/x");
        assert_eq!(name("größe"), "agent/größe");
        for nothing in ["", " ", "...", "/", "{}"] {
            assert!(template.fill(nothing).is_err(), "{nothing:?}");
        }
    }

    #[test]
    fn a_task_gets_an_id_that_is_safe_as_a_directory() {
        let made = |task: &str| Request::task(task, &template("t/{task}"), Base::Head).map(|r| r.id.to_string());
        assert_eq!(made("Fix: the [parser]!").unwrap(), "Fix-the-parser");
        assert_eq!(made("../../etc/passwd").unwrap(), "etc-passwd");
        assert_eq!(made("release.lock").unwrap(), "release");
        assert_eq!(made(&"long ".repeat(40)).unwrap().len(), 64);
        assert!(made("日本").is_err());
    }

    #[test]
    fn a_number_is_appended_to_both_names_and_both_stay_short_enough() {
        let request = Request::task(&"x".repeat(300), &template("agent/{task}"), Base::Head).unwrap();
        let second = request.numbered(12).unwrap();
        assert!(second.id.as_str().len() == 64 && second.id.as_str().ends_with("x-12"));
        let crate::Head::Branch(name) = second.head else { panic!("it has a branch") };
        assert!(name.as_str().len() == 200 && name.as_str().ends_with("x-12"));
    }

    proptest! {
        #[test]
        fn whatever_a_task_is_called_its_names_are_valid_or_refused(task in "\\PC{0,300}", number in 2_usize..100) {
            if let Ok(request) = Request::task(&task, &template("agent/{task}/try"), Base::Head) {
                prop_assert!(request.numbered(number).is_ok());
            }
        }
    }
}
