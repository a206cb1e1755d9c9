//! Resolvers in an order, each for some paths.

use std::sync::Arc;

use gix::bstr::ByteSlice;
use gix::glob::{Pattern, pattern::Case as Letters, wildmatch::Mode};

use super::{Answered, Case, Intents, Resolver};
use crate::{Conflict, ConflictId, ConflictPath, Error, Repository, Result};

/// Who is asked for which paths, in which order.
///
/// ```
/// # fn main() -> hedgerow_merge::Result<()> {
/// use hedgerow_merge::{Recorded, Resolvers, Take, Union, Version};
///
/// let resolvers = Resolvers::new()
///     .on("*", Recorded)?
///     .on("CHANGELOG.md", Union)?
///     .on("generated/", Take(Version::Target))?;
/// # let _ = resolvers; Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Resolvers {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Pattern,
    resolver: Arc<dyn Resolver>,
}

/// What a chain of resolvers came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "answers do nothing until they are settled"]
pub struct Asked {
    /// The answers.
    pub answers: Vec<Answered>,
    /// Who did not answer, and said why.
    pub declined: Vec<Declined>,
    /// The conflicts that nobody decided.
    pub open: Vec<ConflictId>,
}

/// A resolver that did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declined {
    /// Its name.
    pub by: String,
    /// Why.
    pub why: String,
}

impl Resolvers {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks a resolver for paths that match a pattern, after those that were added before.
    ///
    /// Patterns are as in `.gitignore`: `*.lock` matches in every directory, `/docs/*.md` and `a/b` from the root, `vendor/`
    /// everything below a directory. A conflict about several paths matches when one of them does.
    ///
    /// # Errors
    /// [`Error::InvalidName`] when the pattern is empty, a comment or negated.
    pub fn on(mut self, pattern: &str, resolver: impl Resolver) -> Result<Self> {
        let parsed = Pattern::from_bytes(pattern.as_bytes()).filter(|parsed| !parsed.is_negative());
        // A line that says nothing in a file of patterns is a pattern here, which nobody can have meant.
        let parsed = parsed.filter(|_| !pattern.starts_with('#') && !pattern.trim().is_empty());
        let pattern = parsed.ok_or_else(|| Error::InvalidName {
            what: "pattern",
            name: pattern.into(),
            problem: "give a pattern as in .gitignore, not empty, and neither '#…' nor '!…'",
        })?;
        self.rules.push(Rule { pattern, resolver: Arc::new(resolver) });
        Ok(self)
    }

    /// Asks one after the other, each for the paths that match and that nobody before decided.
    ///
    /// Nothing is written but what resolvers write. An answer of a resolver for something that it was not asked is ignored. Dropped
    /// in between, it asks nobody further.
    ///
    /// # Errors
    /// The first error of a resolver.
    pub async fn ask(&self, repository: &Repository, conflict: &Conflict, intents: &Intents) -> Result<Asked> {
        let mut asked = Asked::default();
        for Rule { pattern, resolver } in &self.rules {
            let decided = |path: &ConflictPath| asked.answers.iter().any(|done| done.answer.conflict == path.id);
            let open: Vec<_> = conflict.paths.iter().filter(|path| !decided(path) && matches(pattern, path)).collect();
            if open.is_empty() {
                continue;
            }
            let case = Case { repository, conflict, open: &open, answers: &asked.answers, intents };
            let reply = resolver.resolve(&case).await?;
            let mut new: Vec<Answered> = Vec::new();
            for answer in reply.answers {
                let doubled = new.iter().any(|done| done.answer.conflict == answer.conflict);
                if !doubled && open.iter().any(|path| path.id == answer.conflict) {
                    new.push(Answered { answer, by: resolver.name().to_owned() });
                }
            }
            asked.answers.extend(new);
            asked.declined.extend(reply.why.map(|why| Declined { by: resolver.name().to_owned(), why }));
        }
        let decided = |path: &ConflictPath| asked.answers.iter().any(|done| done.answer.conflict == path.id);
        asked.open = conflict.paths.iter().filter(|path| !decided(path)).map(|path| path.id.clone()).collect();
        Ok(asked)
    }
}

/// Whether one of a conflict's paths, or a directory that it is in, matches.
fn matches(pattern: &Pattern, path: &ConflictPath) -> bool {
    super::involved(path).into_iter().any(|path| {
        let path = path.as_bytes().as_bstr();
        let ends = path.find_iter(b"/").map(|end| (end, true)).chain([(path.len(), false)]);
        ends.into_iter().any(|(end, is_directory)| {
            let path = path[..end].as_bstr();
            let name = path.rfind_byte(b'/').map(|slash| slash + 1);
            let separated = Mode::NO_MATCH_SLASH_LITERAL;
            pattern.matches_repo_relative_path(path, name, Some(is_directory), Letters::Sensitive, separated)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConflictKind, Entry, RepoPath, Terms};

    fn conflict(path: &str) -> ConflictPath {
        let entry = Entry { path: RepoPath::new(path), mode: 0o100_644, id: "1".repeat(40) };
        let terms = Terms::three_way(None, Some(entry.clone()), Some(entry));
        let id = ConflictId::new("2".repeat(40)).unwrap();
        ConflictPath { id, path: RepoPath::new(path), kind: ConflictKind::AddAdd, terms }
    }

    #[test]
    fn patterns_match_as_those_of_gitignore() {
        for (pattern, yes, no) in [
            ("*.lock", vec!["Cargo.lock", "a/b/yarn.lock"], vec!["lock", "a.lock.md"]),
            ("/docs/*.md", vec!["docs/a.md"], vec!["docs/a/b.md", "x/docs/a.md"]),
            ("vendor/", vec!["vendor/a", "x/vendor/b/c"], vec!["vendor", "vendored/a"]),
            ("a/b", vec!["a/b", "a/b/c"], vec!["x/a/b"]),
            ("**/gen/*.rs", vec!["gen/a.rs", "x/gen/a.rs"], vec!["gen/x/a.rs"]),
            ("*", vec!["a", "a/b/c"], vec![]),
        ] {
            let parsed = Pattern::from_bytes(pattern.as_bytes()).unwrap();
            for (paths, expected) in [(yes, true), (no, false)] {
                for path in paths {
                    assert_eq!(matches(&parsed, &conflict(path)), expected, "{pattern}: {path}");
                }
            }
        }
    }

    #[test]
    fn a_pattern_that_means_nothing_is_refused() {
        for pattern in ["", "# comment", "!not", "  "] {
            let error = Resolvers::new().on(pattern, crate::GiveUp).unwrap_err();
            assert!(error.to_string().contains("gitignore"), "{pattern:?}: {error}");
        }
    }
}
