//! Fills submodules, before anybody works in the tree.
//!
//! git itself clones them, into the admin directory, as `git submodule update` does it in any worktree. What
//! `git submodule init` would write into the configuration that all worktrees share is given to it in its arguments.

use std::path::Path;

use gix::config::File;
use gix::index::entry::{Flags, Mode};

use super::git::Git;
use super::layout::Layout;
use super::record::Record;
use crate::capture::fault;
use crate::{Error, Result};

/// A submodule of the commit.
#[derive(Debug, PartialEq, Eq)]
struct Module {
    name: String,
    path: String,
    url: String,
}

/// Fills every submodule that the tree has a directory for.
pub(super) fn fill(
    repo: &gix::Repository,
    layout: &Layout,
    record: &Record,
    git: Git<'_>,
    index: &gix::index::File,
) -> Result<()> {
    let modules = wanted(repo, layout, index)?;
    if modules.is_empty() {
        return Ok(());
    }
    let tree = record.parts.path.as_path();
    let mut settings = Vec::new();
    for Module { name, url, .. } in &modules {
        settings.push(format!("submodule.{name}.url={url}"));
        settings.push(format!("submodule.{name}.active=true"));
        settings.push(format!("submodule.{name}.update=checkout"));
    }
    let git_dir = format!("--git-dir={}", record.admin_dir(layout).display());
    let work_tree = format!("--work-tree={}", tree.display());
    let update = ["submodule", "--quiet", "update", "--"];
    let paths = modules.iter().map(|module| module.path.as_str());
    let arguments: Vec<&str> = [git_dir.as_str(), &work_tree].into_iter().chain(update).chain(paths).collect();
    git.must(tree, &settings, &arguments)?;
    for Module { path, .. } in &modules {
        // Those inside are the submodule's own affair, and so is the configuration that this changes.
        git.must(&tree.join(path), &[], &["submodule", "--quiet", "update", "--init", "--recursive"])?;
    }
    Ok(())
}

/// The submodules that are checked out and active.
fn wanted(repo: &gix::Repository, layout: &Layout, index: &gix::index::File) -> Result<Vec<Module>> {
    let entries = index.entries().iter();
    let here = entries.filter(|entry| entry.mode == Mode::COMMIT && !entry.flags.contains(Flags::SKIP_WORKTREE));
    let links: Vec<String> = here.map(|entry| entry.path(index).to_string()).collect();
    let Some(entry) = index.entry_by_path(".gitmodules".into()).filter(|_| !links.is_empty()) else {
        return Ok(Vec::new());
    };
    let text = repo.find_blob(entry.id).map_err(fault::git("read .gitmodules"))?;
    let text = std::str::from_utf8(&text.data).map_err(fault::git("read .gitmodules"))?;
    let named = File::try_from(text).map_err(fault::git("read .gitmodules"))?;
    let config = repo.config_snapshot();
    let mut found = Vec::new();
    for section in named.sections_by_name("submodule").into_iter().flatten() {
        let value = |key: &str| section.value(key).map(|value| value.to_string());
        let Some(name) = section.header().subsection_name().map(ToString::to_string) else { continue };
        let own = |key: &str| config.string(format!("submodule.{name}.{key}").as_str()).map(|v| v.to_string());
        let Some(path) = value("path").filter(|path| links.contains(path)) else { continue };
        let off = own("active").is_some_and(|v| v == "false");
        if off || own("update").or_else(|| value("update")).is_some_and(|how| how == "none") {
            continue;
        }
        let url = match own("url").or_else(|| value("url")) {
            Some(url) if url.starts_with("./") || url.starts_with("../") => relative(&origin(repo, layout), &url),
            Some(url) => url,
            None => return Err(refuse(&layout.common, &name, "it has no address")),
        };
        if name.contains(['=', '\n', '\0']) || name.split('/').any(|part| part == "..") {
            return Err(refuse(&layout.common, &name, "its name cannot be given to git"));
        }
        if url.starts_with('-') || path.starts_with('-') || url.contains(['\n', '\0']) {
            return Err(refuse(&layout.common, &name, "its path or address cannot be given to git"));
        }
        found.push(Module { name, path, url });
    }
    Ok(found)
}

fn refuse(common: &Path, name: &str, problem: &str) -> Error {
    Error::Repository {
        path: common.to_owned(),
        problem: format!("submodule {name:?} cannot be filled: {problem}; mend .gitmodules, or leave submodules empty"),
    }
}

/// What relative addresses are relative to: the first remote, or the repository itself.
fn origin(repo: &gix::Repository, layout: &Layout) -> String {
    let config = repo.config_snapshot();
    let url = config.string("remote.origin.url").map(|url| url.to_string());
    url.unwrap_or_else(|| layout.main.as_deref().unwrap_or(&layout.common).display().to_string())
}

/// An address relative to another one, as git takes it.
fn relative(base: &str, url: &str) -> String {
    let (mut base, mut rest) = (base.trim_end_matches('/'), url);
    let mut joint = '/';
    loop {
        if let Some(after) = rest.strip_prefix("../") {
            let at = base.rfind(['/', ':']).unwrap_or(0);
            joint = base[at..].chars().next().unwrap_or('/');
            (base, rest) = (&base[..at], after);
        } else if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else {
            return format!("{base}{joint}{}", rest.trim_end_matches('/'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_relative_to_where_the_repository_came_from() {
        assert_eq!(relative("https://host/team/shop.git", "../lib.git"), "https://host/team/lib.git");
        assert_eq!(relative("https://host/team/shop/", "../../other/lib"), "https://host/other/lib");
        assert_eq!(relative("git@host:shop.git", "../lib.git"), "git@host:lib.git");
        assert_eq!(relative("/srv/shop", "./lib"), "/srv/shop/lib");
    }
}
