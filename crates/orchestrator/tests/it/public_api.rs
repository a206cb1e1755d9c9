//! No public item of the crates names a type of a library whose versions break often.

use std::collections::BTreeSet;

use crate::tidy::{root, sources};

/// Their versions break often, so none of their types may be part of our promises.
const FOREIGN: [&str; 4] = ["gix", "bollard", "rustix", "seccompiler"];

/// The names that a file imports from one of the foreign crates, and the crates' own names.
fn foreign_names(text: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = FOREIGN.map(str::to_owned).into();
    let imports = text.split(';').filter_map(|statement| statement.rsplit_once("use ").map(|(_, path)| path));
    for path in imports.filter(|path| FOREIGN.iter().any(|krate| path.starts_with(&format!("{krate}::")))) {
        let words = path.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
        names.extend(words.filter(|word| word.starts_with(char::is_uppercase)).map(str::to_owned));
    }
    names
}

/// The text of every public item: signatures and fields to their end, enums and traits with their bodies.
///
/// What is `pub` is public indeed: the lint `unreachable_pub` sees to that.
fn public_items(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut items = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with("pub ")) {
        let whole = line.contains("pub enum") || line.contains("pub trait");
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let signature = line.contains(" fn ");
        let ends = |l: &&str| match l.trim_end() {
            l if whole => l.starts_with(&closing),
            l if signature => l.ends_with(['{', ';', '}']),
            l => l.ends_with(['{', ';', ',', '}']),
        };
        let length = lines[at..].iter().position(ends).map_or(1, |n| n + 1);
        items.push(lines[at..at + length].join(" "));
    }
    items
}

fn names(item: &str, foreign: &BTreeSet<String>) -> Option<String> {
    let mut words = item.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.find(|word| foreign.contains(*word)).map(str::to_owned)
}

#[test]
fn no_public_item_names_a_foreign_type() {
    let mut seen = 0;
    for krate in ["worktree", "sandbox", "merge", "orchestrator"] {
        for file in sources(&root().join("crates").join(krate).join("src")) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            let foreign = foreign_names(&text);
            for item in public_items(&text) {
                seen += 1;
                assert_eq!(names(&item, &foreign), None, "{}: {item}", file.display());
            }
        }
    }
    assert!(seen > 300, "only {seen} public items were found");
}

/// Without this, the test above could pass because it sees nothing.
#[test]
fn a_foreign_type_in_a_public_item_is_seen() {
    let import = "use gix::{ObjectId, refs::FullName as Name};\n";
    for item in [
        "pub fn id(&self) -> ObjectId {",
        "    pub fn many(\n        &self,\n        id: ObjectId,\n    ) -> u8 {",
        "pub enum E {\n    A(gix::ObjectId),\n}",
        "    pub name: Name,",
        "pub trait T {\n    fn f(&self) -> FullName;\n}",
        "pub use bollard::Docker;",
    ] {
        let text = format!("{import}{item}\n");
        let foreign = foreign_names(&text);
        assert!(public_items(&text).iter().any(|item| names(item, &foreign).is_some()), "{item}");
    }
    assert_eq!(public_items("pub(crate) fn f(id: ObjectId) {}\n"), Vec::<String>::new());
}
