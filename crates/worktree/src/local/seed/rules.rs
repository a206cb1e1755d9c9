//! What is listed.

use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::{Case, Mode};
use gix::ignore::search::Ignore;

use super::copy;
use crate::capture::fault;
use crate::{Error, Result, Seed};

/// The patterns of a seed.
pub(in crate::local) struct Rules {
    search: gix::ignore::Search,
    /// Patterns with a slash inside, as path components: only they may reach into an ignored directory.
    anchored: Vec<Vec<BString>>,
}

impl Rules {
    /// Reads the lists beneath the main checkout.
    pub(in crate::local) fn read(main: &OwnedFd, seed: &Seed) -> Result<Self> {
        let mut text = Vec::new();
        for list in &seed.lists {
            if !list.components().all(|part| matches!(part, Component::Normal(_))) {
                let problem = "a list lies in the main checkout; give its path relative to that, without `..`".into();
                return Err(Error::Seed { path: list.clone(), problem });
            }
            text.extend(copy::read(main, list)?.unwrap_or_default());
            text.push(b'\n');
        }
        for pattern in &seed.patterns {
            text.extend_from_slice(pattern.as_bytes());
            text.push(b'\n');
        }
        Self::parse(&text).map_err(fault::git("read the patterns of the files to seed"))
    }

    fn parse(text: &[u8]) -> std::io::Result<Self> {
        let mut search = gix::ignore::Search::default();
        search.add_patterns_buffer(text, "seed", None, Ignore { support_precious: false })?;
        let patterns = search.patterns.iter().flat_map(|list| &list.patterns).map(|mapping| &mapping.pattern);
        let anchored = patterns
            .filter(|pattern| !pattern.is_negative() && !pattern.mode.contains(Mode::NO_SUB_DIR))
            .map(|pattern| pattern.text.trim_start_with(|c| c == '/').split_str("/").map(Into::into).collect())
            .collect();
        Ok(Self { search, anchored })
    }

    /// Whether this very path is listed.
    pub(in crate::local) fn lists(&self, path: &BStr, is_dir: bool) -> bool {
        let found = self.search.pattern_matching_relative_path(path, Some(is_dir), Case::Sensitive);
        found.is_some_and(|found| !found.pattern.is_negative())
    }

    /// Whether something below this ignored directory may be listed by a pattern that names the way there. Bare names
    /// are not looked for below ignored directories: there lie other people's packages and build output.
    pub(in crate::local) fn reach_into(&self, dir: &BStr) -> bool {
        let dir: Vec<_> = dir.split_str("/").collect();
        self.anchored.iter().any(|pattern| {
            let above = &pattern[..pattern.len() - 1];
            let shared = dir.len().min(above.len());
            let literal = |text: &[u8]| !text.iter().any(|b| b"*?[\\".contains(b));
            !above.is_empty()
                && dir.iter().zip(above).all(|(name, part)| !literal(part) && *part != "**" || part.as_slice() == *name)
                && (dir.len() <= above.len() || above[shared - 1] == "**")
        })
    }
}

/// A path of the walk as the patterns want it.
pub(super) fn text(path: &Path) -> &BStr {
    <[u8]>::from_path(path).unwrap_or_default().as_bstr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        Rules::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn later_patterns_take_back_earlier_ones() {
        let rules = rules(".env*\n!.env.example\n");
        assert!(rules.lists("sub/.env.local".into(), false));
        assert!(!rules.lists(".env.example".into(), false));
        assert!(!rules.lists("environment".into(), false));
    }

    #[test]
    fn only_patterns_that_name_the_way_reach_into_ignored_directories() {
        let rules = rules(".env\nconfig/*.local\n/deep/*/down/key\n**/anywhere\n");
        assert!(rules.reach_into("config".into()));
        assert!(!rules.reach_into("config/sub".into()));
        assert!(!rules.reach_into("node_modules".into()));
        assert!(rules.reach_into("deep".into()));
        assert!(rules.reach_into("deep/er".into()));
        assert!(rules.reach_into("deep/er/down".into()));
        assert!(!rules.reach_into("deep/er/up".into()));
    }
}
