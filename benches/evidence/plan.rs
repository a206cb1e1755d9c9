//! The plan of 24 scripted agents.
//!
//! It depends on the repository's list of files alone, so it is the same plan every time. Each agent writes its marker
//! first, then says so; its sleeps are of different lengths, so that a kill at any moment meets all stages.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::clone::TARGET;
use crate::random::Random;

/// Where agents leave their markers.
pub(crate) const MARKERS: &str = "hedgerow-evidence";

/// How many agents there are.
pub(crate) const AGENTS: usize = 24;

/// What an agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Edits a file, adds one, and commits nothing.
    Leaves,
    /// Commits three times.
    Commits,
    /// Commits twice and leaves more.
    Both,
    /// Edits the same line as the other of its kind.
    Quarrels,
    /// Does what the gate refuses.
    Red,
    /// Is ended by SIGSEGV.
    Crashes,
    /// Ends with status 3.
    Fails,
    /// Waits until its deadline.
    Hangs,
    /// Needs an earlier one, and ends with status 9 when the work of that one is not there.
    Needs(&'static str),
}

const KINDS: [(&str, Kind); AGENTS] = [
    ("quarrels-1", Kind::Quarrels),
    ("quarrels-2", Kind::Quarrels),
    ("hangs", Kind::Hangs),
    ("leaves-1", Kind::Leaves),
    ("commits-1", Kind::Commits),
    ("both-1", Kind::Both),
    ("crashes", Kind::Crashes),
    ("leaves-2", Kind::Leaves),
    ("commits-2", Kind::Commits),
    ("red", Kind::Red),
    ("both-2", Kind::Both),
    ("needs-1", Kind::Needs("leaves-1")),
    ("leaves-3", Kind::Leaves),
    ("fails", Kind::Fails),
    ("commits-3", Kind::Commits),
    ("both-3", Kind::Both),
    ("leaves-4", Kind::Leaves),
    ("commits-4", Kind::Commits),
    ("both-4", Kind::Both),
    ("needs-2", Kind::Needs("commits-2")),
    ("leaves-5", Kind::Leaves),
    ("commits-5", Kind::Commits),
    ("leaves-6", Kind::Leaves),
    ("commits-6", Kind::Commits),
];

/// The agents by name.
pub(crate) fn agents() -> impl Iterator<Item = (&'static str, Kind)> {
    KINDS.into_iter()
}

/// The plan file for a repository with these files.
pub(crate) fn text(files: &[String]) -> String {
    let own = spread(files);
    let quarrel = &own[0];
    let mut random = Random::new(24);
    let mut text = format!(
        "target = \"{TARGET}\"\n\
         gate = {{ command = [\"sh\", \"-c\", \"test ! -e {MARKERS}/BROKEN || {{ echo it is broken; exit 1; }}; ls {MARKERS} | grep -q .\"], deadline = \"60s\" }}\n\
         defaults = {{ agent = \"script\", deadline = \"60s\" }}\n\
         [agents.script]\ncommand = [\"sh\", \"-s\"]\n"
    );
    for (index, (name, kind)) in agents().enumerate() {
        let file = if kind == Kind::Quarrels { quarrel } else { &own[index] };
        let script = script(name, kind, file, &mut random);
        // Writing to a string cannot fail.
        let _infallible = write!(text, "\n[[task]]\nid = \"{name}\"\nprompt = '''\n{script}'''\n");
        let _infallible = match kind {
            Kind::Hangs => writeln!(text, "deadline = \"5s\""),
            Kind::Needs(other) => writeln!(text, "needs = [\"{other}\"]"),
            _ => Ok(()),
        };
    }
    text
}

fn script(name: &str, kind: Kind, file: &str, random: &mut Random) -> String {
    let marker = format!("{MARKERS}/{name}");
    let mut nap = || format!("sleep {:.2}", 0.2 + 0.5 * random.fraction());
    let step = |n: u32| format!("echo 'step {n}' >>{marker}; echo '# {name} was here: {n}' >>{file}");
    let commit = |n: u32| format!("git add -A; git commit -qm '{name}: step {n}'");
    let mut lines = vec![
        "set -e".to_owned(),
        format!("mkdir -p {MARKERS}"),
        "run=\"$(git symbolic-ref --short HEAD) $(od -An -N8 -tx1 /dev/urandom | tr -d ' ')\"".to_owned(),
        format!("echo \"{name} $run\" >{marker}"),
        format!("echo \"begin {name} $run\""),
    ];
    match kind {
        Kind::Leaves => lines.extend([nap(), step(1), nap(), format!("echo {name} >{marker}.more"), nap()]),
        Kind::Commits => {
            lines.extend([nap(), step(1), commit(1), nap(), step(2), commit(2), nap(), step(3), commit(3)]);
        }
        Kind::Both => lines.extend([step(1), commit(1), nap(), step(2), commit(2), nap(), step(3), nap()]),
        Kind::Quarrels => {
            lines.extend([format!("sed -i '1s/.*/this line belongs to {name}/' {file}"), "sleep 1.2".into()]);
        }
        Kind::Red => lines.extend([nap(), step(1), format!("touch {MARKERS}/BROKEN"), nap()]),
        Kind::Crashes => lines.extend([nap(), step(1), commit(1), nap(), step(2), "kill -SEGV $$; sleep 9".into()]),
        Kind::Fails => lines.extend([nap(), step(1), nap(), "exit 3".into()]),
        Kind::Hangs => lines.extend([step(1), "sleep 1000".into()]),
        Kind::Needs(other) => {
            lines.extend([format!("test -s {MARKERS}/{other} || exit 9"), nap(), step(1), commit(1), nap()]);
        }
    }
    lines.push(format!("echo \"end {name} $run\""));
    lines.join("\n") + "\n"
}

/// One file for each agent: from as many directories as there are, then further files of these.
fn spread(files: &[String]) -> Vec<String> {
    let mut dirs: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for file in files {
        dirs.entry(file.rsplit_once('/').map_or("", |(dir, _)| dir)).or_default().push(file);
    }
    let stride = (dirs.len() / AGENTS).max(1);
    let far = dirs.values().step_by(stride).filter_map(|files| files.first());
    let near = dirs.values().flat_map(|files| files.iter().skip(1));
    let mut own: Vec<String> = far.chain(near).take(AGENTS).map(|file| (*file).clone()).collect();
    // In a repository with fewer files than agents the rest make their own.
    own.extend((own.len()..AGENTS).map(|n| format!("{MARKERS}/file-{n}")));
    own
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hedgerow_orchestrator::Plan;

    use super::*;

    #[test]
    fn the_plan_is_valid_and_the_same_every_time() {
        let files: Vec<_> = (0..3000).map(|n| format!("dir{}/file{n}.rs", n / 10)).collect();
        let plan = Plan::from_toml(&text(&files)).expect("a valid plan");
        assert_eq!(plan.tasks.len(), AGENTS);
        plan.check(&BTreeSet::new()).expect("a plan that can start");
        assert_eq!(text(&files), text(&files));
    }

    #[test]
    fn agents_work_in_different_directories_where_there_are_enough() {
        let files: Vec<_> = (0..3000).map(|n| format!("dir{}/file{n}.rs", n / 10)).collect();
        let dirs: BTreeSet<_> = spread(&files).iter().map(|f| f.rsplit_once('/').unwrap().0.to_owned()).collect();
        assert_eq!(dirs.len(), AGENTS);
        assert_eq!(spread(&["one".to_owned()]).len(), AGENTS);
    }
}
