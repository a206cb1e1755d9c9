//! Opens repositories; nothing else in this crate does.
//!
//! A repository is opened by the exact path of its common directory. Nothing is discovered, no variable of the
//! environment and no file outside of the repository is read, and whatever its configuration would have git execute is
//! taken out before anybody can ask for it.

use std::path::{Path, PathBuf};

use gix::config::{File, Source};

use crate::capture::fault;
use crate::{Error, Result};

/// A repository by its two directories, both canonical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The directory that all worktrees share.
    pub(crate) common: PathBuf,
    /// The main checkout, unless the repository is bare.
    pub(crate) main: Option<PathBuf>,
}

/// Bytes of decoded objects to keep at hand; trees are read again and again.
const OBJECT_CACHE: usize = 8 << 20;

/// Finds the repository that lies at exactly this path.
pub(crate) fn locate(path: &Path) -> Result<Place> {
    let given = path.canonicalize().map_err(|e| refuse(path, format!("it cannot be entered ({e}); {EXPECTED}")))?;
    let dot_git = given.join(".git");
    let common = if dot_git.is_dir() {
        dot_git.canonicalize().map_err(fault::io("enter", &dot_git))?
    } else if dot_git.is_file() {
        follow(&given, &dot_git)?
    } else {
        given.clone()
    };
    if common.join("commondir").exists() {
        let problem = "it belongs to a linked worktree; give the main checkout or the repository that it was made from";
        return Err(refuse(path, problem));
    }
    if !(common.join("HEAD").is_file() && common.join("objects").is_dir() && common.join("refs").is_dir()) {
        return Err(refuse(path, format!("no repository is there; {EXPECTED}")));
    }
    let repo = open(&common)?;
    let main = if repo.is_bare() {
        None
    } else if common != given && !given.starts_with(&common) {
        Some(given)
    } else {
        repo.workdir().and_then(|dir| dir.canonicalize().ok())
    };
    for dir in [Some(&common), main.as_ref()].into_iter().flatten() {
        if dir.to_str().is_none() {
            return Err(refuse(dir, "its path is not valid UTF-8; move it to a path that is"));
        }
    }
    Ok(Place { common, main })
}

/// Whether the main checkout lies inside of that of another repository, as one of its submodules.
pub(crate) fn is_submodule(place: &Place) -> bool {
    let outer = place.main.iter().flat_map(|main| main.ancestors().skip(1));
    outer
        .filter_map(|dir| dir.join(".git").canonicalize().ok())
        .any(|git| place.common.starts_with(git.join("modules")))
}

const EXPECTED: &str = "give a main checkout (the directory that holds `.git`), a bare repository or a `.git` \
                        directory; parent directories are not searched";

/// Where the `.git` file of a main checkout with a separate git directory points to.
fn follow(given: &Path, file: &Path) -> Result<PathBuf> {
    let text = std::fs::read_to_string(file).map_err(fault::io("read", file))?;
    let Some(target) = text.strip_prefix("gitdir: ") else {
        return Err(refuse(file, "it is not a file of git's; it should start with `gitdir: `"));
    };
    let dir = given.join(target.trim_end_matches(['\n', '\r']));
    dir.canonicalize().map_err(|e| refuse(file, format!("it names {dir:?}, which cannot be entered ({e})")))
}

/// Opens the repository with this common directory.
pub(crate) fn open(common: &Path) -> Result<gix::Repository> {
    for name in ["config", "HEAD", "packed-refs"] {
        // A pipe would make whoever reads it wait for ever.
        if common.join(name).metadata().is_ok_and(|meta| !meta.is_file()) {
            return Err(refuse(common, format!("its `{name}` is not a regular file; move it away, or restore it")));
        }
    }
    let file = common.join("config");
    let config = File::from_path_no_includes(file, Source::Local)
        .map_err(|e| refuse(common, format!("its `config` cannot be read: {e}")))?;
    if let Some(problem) = obstacle(&config) {
        return Err(refuse(common, problem));
    }
    // The caller named this very path, so it is trusted whoever owns it; the limit would only make large files unreadable.
    let options = gix::open::Options::isolated()
        .open_path_as_is(true)
        .with(gix::sec::Trust::Full)
        .config_overrides(["gitoxide.objects.allocLimitIfReducedTrust=0", "core.fsmonitor=false"]);
    let mut repo =
        options.open(common).map_err(|e| refuse(common, format!("it cannot be opened: {e}")))?.to_thread_local();
    disarm(&mut repo)?;
    repo.object_cache_size_if_unset(OBJECT_CACHE);
    Ok(repo)
}

/// Takes out of the configuration in memory whatever names a program to run on a file's content.
fn disarm(repo: &mut gix::Repository) -> Result<()> {
    let mut config = repo.config_snapshot_mut();
    for section in ["filter", "diff", "merge"] {
        let ids: Vec<_> = config.sections_and_ids_by_name(section).into_iter().flatten().map(|(_, id)| id).collect();
        for id in ids {
            config.remove_section_by_id(id);
        }
    }
    config.commit().map_err(fault::git("apply the configuration of the repository"))?;
    Ok(())
}

/// Why a repository with this `config` cannot be used, and the way out.
fn obstacle(config: &File) -> Option<String> {
    let text = |key: &str| config.string(key).map(|v| v.to_string().to_ascii_lowercase());
    let on = |key: &str| config.boolean(key).ok().flatten() == Some(true);
    if text("extensions.refStorage").is_some_and(|v| v != "files") {
        return Some(
            "its refs are not stored as files (extensions.refStorage), which cannot be read here; \
             `git refs migrate --ref-format=files` converts them (older versions of git: only without reflogs)"
                .into(),
        );
    }
    if text("extensions.objectFormat").is_some_and(|v| v != "sha1" && v != "sha256") {
        return Some("its object ids are neither SHA-1 nor SHA-256 (extensions.objectFormat)".into());
    }
    if config.string("extensions.compatObjectFormat").is_some() {
        return Some(
            "it translates object ids to another hash (extensions.compatObjectFormat), and what is written here would \
             lack the translation; use a clone without it"
                .into(),
        );
    }
    if on("extensions.worktreeConfig") && (on("core.bare") || config.string("core.worktree").is_some()) {
        return Some(
            "extensions.worktreeConfig is on while `core.bare` or `core.worktree` is in the shared `config`, so that \
             git would apply it to every worktree; move that key to `config.worktree` (see git-worktree, \
             \"CONFIGURATION FILE\")"
                .into(),
        );
    }
    let version = config.integer("core.repositoryFormatVersion").ok().flatten().unwrap_or(0);
    if version > 1 {
        return Some(format!("its format version {version} is not known here"));
    }
    let known = ["noop", "preciousobjects", "partialclone", "worktreeconfig", "objectformat", "refstorage"];
    let known = |name: &str| known.contains(&name) || name == "relativeworktrees";
    let mut sections = config.sections_by_name("extensions").into_iter().flatten();
    let unknown = sections.find_map(|section| {
        section.value_names().map(|name| name.to_string().to_ascii_lowercase()).find(|name| !known(name))
    });
    match unknown {
        Some(name) if version == 1 => Some(format!("it needs the extension {name:?}, which is not known here")),
        _ => None,
    }
}

fn refuse(path: &Path, problem: impl Into<String>) -> Error {
    Error::Repository { path: path.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Option<String> {
        obstacle(&File::try_from(text).unwrap())
    }

    #[test]
    fn plain_repositories_pass() {
        assert_eq!(problem(""), None);
        assert_eq!(problem("[core]\n\trepositoryformatversion = 0\n\tbare = true\n"), None);
        assert_eq!(problem("[core]\nrepositoryformatversion = 1\n[extensions]\nrelativeWorktrees = true\n"), None);
        assert_eq!(problem("[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = SHA256\n"), None);
        assert_eq!(problem("[extensions]\nworktreeConfig = true\n[core]\nbare = false\n"), None);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_way_out() {
        let v1 = "[core]\nrepositoryformatversion = 1\n[extensions]\n";
        let refusal = |extension: &str| problem(&format!("{v1}{extension}\n")).unwrap();
        assert!(refusal("refStorage = reftable").contains("git refs migrate"));
        assert!(refusal("refStorage = files://elsewhere").contains("refStorage"));
        assert!(refusal("objectFormat = sha512").contains("SHA-256"));
        assert!(refusal("objectFormat = sha256\ncompatObjectFormat = sha1").contains("translat"));
        assert!(refusal("somethingNew = true").contains("somethingnew"));
        assert!(problem("[core]\nrepositoryformatversion = 2\n").unwrap().contains("version 2"));
    }

    #[test]
    fn a_shared_core_bare_with_worktree_config_is_refused() {
        let text = "[extensions]\nworktreeConfig = true\n[core]\nbare = true\n";
        assert!(problem(text).unwrap().contains("config.worktree"));
    }
}
