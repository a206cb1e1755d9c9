//! No public item of the crates names a type of a library whose versions break often.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Their versions break often, so none of their types may be part of our promises.
const FOREIGN: [&str; 4] = ["gix", "bollard", "rustix", "seccompiler"];

/// What rustdoc knows of a crate's public items. The format is unstable, which is why it is read in a test only.
fn rustdoc(krate: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO"))
        .args(["rustdoc", "--locked", "--offline", "--all-features", "--lib", "-p"])
        .arg(format!("hedgerow-{krate}"))
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(&root)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata = crate::tidy::metadata();
    let target = Path::new(metadata["target_directory"].as_str().expect("a target directory"));
    let bytes = std::fs::read(target.join(format!("doc/hedgerow_{krate}.json"))).expect("the file that rustdoc wrote");
    serde_json::from_slice(&bytes).expect("rustdoc writes JSON")
}

/// The ids of all types that stand somewhere in an item.
fn types(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(id) = fields.get("resolved_path").and_then(|path| path.get("id")) {
                found.push(id.to_string());
            }
            fields.values().for_each(|field| types(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| types(item, found)),
        _ => {}
    }
}

#[test]
fn no_public_item_names_a_foreign_type() {
    for krate in ["worktree", "sandbox", "merge", "orchestrator"] {
        let docs = rustdoc(krate);
        let crates = docs["external_crates"].as_object().expect("external crates");
        let foreign: BTreeMap<&str, &str> = crates
            .iter()
            .filter_map(|(id, of)| Some((id.as_str(), of["name"].as_str()?)))
            .filter(|(_, name)| FOREIGN.iter().any(|f| name == f || name.starts_with(&format!("{f}_"))))
            .collect();
        assert!(krate == "orchestrator" || !foreign.is_empty(), "{krate}: rustdoc's format has changed");
        let mut seen = 0;
        for item in docs["index"].as_object().expect("an index").values() {
            // What a foreign crate implements for every type is not a promise of ours.
            if item["inner"]["impl"]["blanket_impl"].is_object() {
                continue;
            }
            let mut ids = Vec::new();
            types(&item["inner"], &mut ids);
            for id in ids {
                seen += 1;
                let of = docs["paths"][&id]["crate_id"].to_string();
                assert!(!foreign.contains_key(of.as_str()), "{krate}: {} names {}", item["name"], docs["paths"][&id]["path"]);
            }
        }
        assert!(seen > 20, "{krate}: rustdoc's format has changed: {seen} types seen");
    }
}
