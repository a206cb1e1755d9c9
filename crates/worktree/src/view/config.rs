//! The configuration of a view: nothing that runs a program, only what git needs to see the tree as the host does.

use gix::bstr::{BStr, BString, ByteSlice};

/// Settings that decide how a file and its entry in the index compare, and who commits.
const COPIED: [(&str, &str, &str); 13] = [
    ("core.fileMode", "core", "fileMode"),
    ("core.symlinks", "core", "symlinks"),
    ("core.ignoreCase", "core", "ignoreCase"),
    ("core.precomposeUnicode", "core", "precomposeUnicode"),
    ("core.autocrlf", "core", "autocrlf"),
    ("core.eol", "core", "eol"),
    ("core.safecrlf", "core", "safecrlf"),
    ("core.trustctime", "core", "trustctime"),
    ("core.checkStat", "core", "checkStat"),
    ("core.sparseCheckout", "core", "sparseCheckout"),
    ("core.sparseCheckoutCone", "core", "sparseCheckoutCone"),
    ("user.name", "user", "name"),
    ("user.email", "user", "email"),
];

/// The text of the view's `config`.
///
/// Housekeeping is off because it would only waste time in a directory that lives as long as one task. The agent can
/// change all of this: the host never reads it back.
pub(super) fn text(repo: &gix::Repository) -> BString {
    let hash = repo.object_hash();
    let mut text = BString::from("[core]\n\tbare = false\n\tlogAllRefUpdates = true\n\thooksPath = /dev/null\n");
    if hash == gix::hash::Kind::Sha1 {
        text.extend_from_slice(b"\trepositoryformatversion = 0\n");
    } else {
        text.extend_from_slice(b"\trepositoryformatversion = 1\n[extensions]\n");
        text.extend_from_slice(format!("\tobjectFormat = {hash}\n").as_bytes());
    }
    text.extend_from_slice(b"[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[advice]\n\tdetachedHead = false\n");
    let config = repo.config_snapshot();
    for (key, section, name) in COPIED {
        if let Some(value) = config.string(key) {
            text.extend_from_slice(format!("[{section}]\n\t{name} = ").as_bytes());
            quote(value.as_ref(), &mut text);
            text.push(b'\n');
        }
    }
    text
}

fn quote(value: &BStr, text: &mut BString) {
    text.push(b'"');
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\t' => text.extend_from_slice(b"\\t"),
            0 => {}
            _ => text.push(byte),
        }
    }
    text.push(b'"');
}

/// Why git could not work in a view of this repository, if so.
pub(super) fn obstacle(repo: &gix::Repository) -> Option<String> {
    let config = repo.config_snapshot();
    let partial = "it is a partial clone: missing objects cannot be fetched from inside a sandbox; complete it with \
                   `git fetch --refetch --no-filter` and drop its promisor settings, or use direct git access";
    if config.string("extensions.partialClone").is_some() {
        return Some(partial.into());
    }
    let promised = config.plumbing().sections_by_name("remote").into_iter().flatten().any(|section| {
        let off = section.value("promisor").is_some_and(|v| v.to_str_lossy().eq_ignore_ascii_case("false"));
        section.contains_value_name("promisor") && !off
    });
    promised.then(|| partial.into())
}
