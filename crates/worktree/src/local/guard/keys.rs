//! The keys of a configuration file, and which of them are dangerous to the repository's other users.

use std::collections::{BTreeMap, BTreeSet};

use gix::bstr::{BString, ByteSlice};
use gix::config::file::Metadata;
use gix::config::{File, Source};

/// The values of one key, in their order.
pub(super) type Values = Vec<String>;

/// A key: the section and the name in lower case, the subsection as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    section: String,
    subsection: Option<BString>,
    name: String,
}

impl Key {
    /// As people write it.
    pub(super) fn shown(&self) -> String {
        match &self.subsection {
            Some(subsection) => format!("{}.{}.{}", self.section, subsection, self.name),
            None => format!("{}.{}", self.section, self.name),
        }
    }

    /// Whether git runs a program, looks elsewhere or works differently for everybody because of it.
    pub(super) fn is_dangerous(&self) -> bool {
        let name = self.name.as_str();
        match self.section.as_str() {
            "core" => CORE.contains(&name),
            "include" | "includeif" | "filter" | "alias" | "credential" | "extensions" | "pager" | "trailer" => true,
            "hook" | "difftool" | "mergetool" | "browser" | "man" | "uploadpack" | "receive" | "safe" => true,
            "diff" => matches!(name, "external" | "command" | "textconv"),
            "merge" => name == "driver",
            "url" => matches!(name, "insteadof" | "pushinsteadof"),
            "remote" => matches!(name, "url" | "pushurl" | "uploadpack" | "receivepack" | "vcs" | "proxy"),
            "http" => matches!(name, "proxy" | "sslverify" | "extraheader" | "cookiefile"),
            "gpg" => name.ends_with("program") || name == "defaultkeycommand",
            "sequence" | "interactive" | "sendemail" | "imap" | "gc" => true,
            "submodule" => name == "update",
            "protocol" => name == "allow",
            _ => false,
        }
    }

    /// The branch whose upstream this is about, if it is about one.
    pub(super) fn branch(&self) -> Option<&str> {
        if self.section != "branch" {
            return None;
        }
        self.subsection.as_ref()?.to_str().ok()
    }

    /// Whether its value may be shown: it is short and holds no secret.
    fn is_plain(&self) -> bool {
        self.section == "core" || self.section == "extensions"
    }
}

const CORE: [&str; 12] = [
    "bare",
    "worktree",
    "hookspath",
    "fsmonitor",
    "sshcommand",
    "gitproxy",
    "editor",
    "pager",
    "askpass",
    "attributesfile",
    "excludesfile",
    "repositoryformatversion",
];

/// Reads a configuration file. Nothing that it includes is read.
pub(super) fn parse(bytes: &[u8]) -> Result<File, String> {
    File::from_bytes_no_includes(bytes, Metadata::from(Source::Local), Default::default()).map_err(|e| e.to_string())
}

/// All keys of a file with all their values.
pub(super) fn all(file: &File) -> BTreeMap<Key, Values> {
    let mut found: BTreeMap<Key, Values> = BTreeMap::new();
    for section in file.sections() {
        let header = section.header();
        let name = header.name().to_string().to_ascii_lowercase();
        let subsection = header.subsection_name().map(ToOwned::to_owned);
        // Each name once: its values come all together.
        let names: BTreeSet<String> = section.value_names().map(|name| name.to_ascii_lowercase()).collect();
        for value_name in names {
            let values = section.values(&value_name);
            let key = Key { section: name.clone(), subsection: subsection.clone(), name: value_name };
            // A key without "=" has no value, and is true.
            let values = if values.is_empty() { vec!["true".to_owned()] } else { values.iter().map(shown).collect() };
            found.entry(key).or_default().extend(values);
        }
    }
    found
}

fn shown(value: &BString) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// Which keys differ: their values before and after.
pub(super) fn differences(before: &File, after: &File) -> Vec<(Key, Option<Values>, Option<Values>)> {
    let (mut before, mut after) = (all(before), all(after));
    let keys: BTreeSet<Key> = before.keys().chain(after.keys()).cloned().collect();
    let pairs = keys.into_iter().map(|key| {
        let (was, is) = (before.remove(&key), after.remove(&key));
        (key, was, is)
    });
    pairs.filter(|(_, was, is)| was != is).collect()
}

/// What became of a key, in words. Values that may be secrets or programs are left out.
pub(super) fn told(key: &Key, was: Option<&Values>, is: Option<&Values>) -> String {
    let value = |values: &Values| values.join(", ").chars().take(80).collect::<String>();
    let name = key.shown();
    match (was, is) {
        (None, Some(is)) if key.is_plain() => format!("{name} was set to {:?}", value(is)),
        (Some(was), None) if key.is_plain() => format!("{name} was removed, it was {:?}", value(was)),
        (Some(was), Some(is)) if key.is_plain() => {
            format!("{name} was changed from {:?} to {:?}", value(was), value(is))
        }
        (None, _) => format!("{name} was set"),
        (_, None) => format!("{name} was removed"),
        _ => format!("{name} was changed"),
    }
}

/// Sets a key to these values alone, or takes it out.
pub(super) fn set(file: &mut File, key: &Key, values: Option<&Values>) -> Result<(), String> {
    let subsection = key.subsection.as_ref().map(|name| name.as_bstr());
    let ids: Vec<_> = file.sections_and_ids_by_name(&key.section).into_iter().flatten().collect();
    let ids: Vec<_> = ids
        .into_iter()
        .filter(|(section, _)| section.header().subsection_name() == subsection)
        .map(|(_, id)| id)
        .collect();
    for id in ids {
        if let Some(mut section) = file.section_mut_by_id(id) {
            while section.remove(&key.name).is_some() {}
        }
    }
    let Some(values) = values else { return Ok(()) };
    let mut section = file.section_mut_or_create_new(&key.section, subsection).map_err(|e| e.to_string())?;
    for value in values {
        section.push(&key.name, value.as_bytes().as_bstr()).map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn danger(text: &str) -> Vec<String> {
        let file = parse(text.as_bytes()).unwrap();
        all(&file).into_keys().filter(Key::is_dangerous).map(|key| key.shown()).collect()
    }

    #[test]
    fn what_runs_programs_or_breaks_the_repository_is_dangerous() {
        for text in [
            "[core]\nbare = true\n",
            "[CORE]\nhooksPath = x\n",
            "[core]\nfsmonitor\n",
            "[filter \"x\"]\nclean = evil\n",
            "[include]\npath = x\n",
            "[includeIf \"gitdir:/\"]\npath = x\n",
            "[diff]\nexternal = x\n",
            "[diff \"z\"]\ntextconv = x\n",
            "[merge \"z\"]\ndriver = x\n",
            "[credential]\nhelper = x\n",
            "[alias]\nst = !x\n",
            "[url \"evil\"]\ninsteadOf = good\n",
        ] {
            assert_eq!(danger(text).len(), 1, "{text}");
        }
        assert_eq!(danger("[user]\nname = x\n[branch \"a\"]\nmerge = y\n[core]\nautocrlf = false\n"), [""; 0]);
    }

    #[test]
    fn keys_are_put_back_and_the_rest_stays_as_it_is() {
        let before = "[core]\n\tbare = false\n";
        let after = "# mine\n[core]\n\tbare = true\n\thooksPath = /evil\n[core]\n\tbare = true\n[user]\n\tname = me\n";
        let (was, mut is) = (parse(before.as_bytes()).unwrap(), parse(after.as_bytes()).unwrap());
        for (key, was, _) in differences(&was, &is).into_iter().filter(|(key, ..)| key.is_dangerous()) {
            set(&mut is, &key, was.as_ref()).unwrap();
        }
        let text = is.to_string();
        assert_eq!(is.boolean("core.bare").unwrap(), Some(false));
        assert_eq!((is.string("core.hooksPath"), text.matches("bare").count()), (None, 1), "{text}");
        assert!(text.starts_with("# mine\n") && text.contains("name = me"), "{text}");
    }

    #[test]
    fn secrets_are_not_told() {
        let (was, is) = ("", "[http]\n\textraHeader = token\n[core]\n\tbare = true\n");
        let (was, is) = (parse(was.as_bytes()).unwrap(), parse(is.as_bytes()).unwrap());
        let told: Vec<_> =
            differences(&was, &is).iter().map(|(key, was, is)| told(key, was.as_ref(), is.as_ref())).collect();
        assert_eq!(told, ["core.bare was set to \"true\"", "http.extraheader was set"]);
    }
}
