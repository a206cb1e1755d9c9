//! The system's bubblewrap, from a fixed place and of nobody but root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where systems keep it. Never looked up in `PATH`, which an agent may have had a hand in.
const PLACES: [&str; 3] = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/run/wrappers/bin/bwrap"];

/// The first that is there and that only root can change; or why there is none, and the cure.
pub(super) fn find() -> Result<PathBuf, String> {
    find_in(&PLACES.map(Path::new))
}

fn find_in(places: &[&Path]) -> Result<PathBuf, String> {
    let mut problems = Vec::new();
    for place in places {
        let shown = place.display();
        match fs::canonicalize(place) {
            // Also where it was looked for: who can put a link there can lead to any program of root's.
            Ok(path) => match weak(&path).or_else(|| place.parent().and_then(weak)) {
                None => return Ok(path),
                Some((part, why)) => {
                    let part = part.display();
                    problems.push(format!(
                        "{shown} is not used, because {part} {why}; run 'chown root {part} && chmod go-w {part}'"
                    ));
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => problems.push(format!("{shown}: {error}")),
        }
    }
    if problems.is_empty() {
        problems.push(format!("it is in none of {}", names(places)));
    }
    Err(problems.join("; "))
}

fn names(places: &[&Path]) -> String {
    places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The first part of a path that somebody else than root could have changed, and why.
fn weak(path: &Path) -> Option<(PathBuf, String)> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    path.ancestors().find_map(|part| unsafe_part(part).map(|why| (part.to_owned(), why)))
}

/// Why somebody else than root could have put something else there.
fn unsafe_part(path: &Path) -> Option<String> {
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    match fs::symlink_metadata(path) {
        Err(error) => Some(format!("cannot be looked at: {error}")),
        Ok(meta) if meta.uid() != 0 => Some(format!("belongs to user {} and not to root", meta.uid())),
        Ok(meta) if meta.mode() & WRITABLE_BY_OTHERS != 0 => Some("can be written by others than root".into()),
        Ok(meta) if !meta.is_file() && !meta.is_dir() => Some("is no file".into()),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_that_others_could_have_put_there_is_none_of_the_systems() {
        assert_eq!(unsafe_part(Path::new("/usr")), None);
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("bwrap");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o775)).unwrap();
        assert!(unsafe_part(&file).is_some());
        assert!(unsafe_part(Path::new("/tmp")).is_some(), "everybody can write there");
        assert!(unsafe_part(&place.path().join("absent")).is_some());
    }

    #[test]
    fn a_link_that_others_could_have_put_there_is_not_followed_and_the_cure_is_named() {
        let place = tempfile::tempdir_in("/usr").or_else(|_| tempfile::tempdir()).unwrap();
        let link = place.path().join("bwrap");
        std::os::unix::fs::symlink("/usr/bin/env", &link).unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o775)).unwrap();
        let why = find_in(&[&link]).unwrap_err();
        assert!(why.contains("can be written by others than root") || why.contains("belongs to user"), "{why}");
        assert!(why.contains("chmod go-w"), "{why}");
        assert!(find_in(&[&place.path().join("absent")]).unwrap_err().contains("it is in none of"));
    }
}
