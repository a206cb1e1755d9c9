//! The plans in the documentation are plans.

use std::collections::BTreeSet;
use std::path::Path;

use hedgerow_orchestrator::Plan;

#[test]
fn every_plan_in_the_documentation_can_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in ["README.md", "docs/plan.md"] {
        let text = std::fs::read_to_string(root.join(file)).expect("a document");
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        // How to depend on the crates is in the same language.
        let plans: Vec<_> = blocks.filter(|block| !block.starts_with("[dependencies]")).collect();
        assert!(!plans.is_empty(), "{file} shows no plan");
        for plan in plans {
            let read = Plan::from_toml(plan).and_then(|plan| plan.check(&BTreeSet::new()));
            assert!(read.is_ok(), "{file}: {read:?}\n{plan}");
        }
    }
}
