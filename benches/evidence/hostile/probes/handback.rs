//! What a tree can do to the host that takes it back.

use crate::hostile::probe::{Control, Effect, Ending, Expect, Probe, Script};

/// A git directory of the agent's whose config runs something, at `evil`.
macro_rules! evil {
    ($after:literal) => {
        concat!(
            "git init -q evil; printf '#!/bin/sh\\ntouch <MARK>\\n' >evil/run; chmod +x evil/run\n",
            "echo x >evil/file; git -C evil add file; git -C evil commit -qm evil\n",
            "git -C evil config core.fsmonitor \"$PWD/evil/run\"\n",
            $after
        )
    };
}

pub(super) const PROBES: &[Probe] = &[
    Probe {
        id: "replace-git-file",
        tries: "overwrite its .git file to name a directory whose config runs code",
        script: Script::Shell(evil!("tried sh -c 'echo gitdir: $PWD/evil/.git >.git'")),
        effect: Effect::Appears("<MARK>"),
        control: Control::Careless("git status"),
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
    Probe {
        id: "rename-git-file",
        tries: "rename its .git file and put a directory of its own there",
        script: Script::Shell(evil!("tried sh -c 'mv .git away && mv evil/.git .git'")),
        effect: Effect::Appears("<MARK>"),
        control: Control::Careless("git status"),
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
    Probe {
        id: "unlink-git-file",
        tries: "delete its .git file",
        script: Script::Perl("tried(unlink('.git'));"),
        effect: Effect::Said,
        control: Control::Plain,
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
    Probe {
        id: "nested-repository",
        tries: "leave a nested repository whose config runs code",
        script: Script::Shell(evil!("tried true")),
        effect: Effect::Appears("<MARK>"),
        control: Control::Careless("git -C evil status"),
        expect: Expect::Contained,
        end: Ending::Fails,
    },
    Probe {
        id: "gitlink",
        tries: "commit a nested repository whose config runs code as a submodule, and land it",
        script: Script::Shell(evil!("git add -A 2>/dev/null; tried git commit -qm gitlink")),
        effect: Effect::Appears("<MARK>"),
        control: Control::Careless("git status"),
        expect: Expect::Contained,
        end: Ending::Lands,
    },
    Probe {
        id: "env-symlink",
        tries: "land a symlink .env, for the host to copy the user's .env through it",
        script: Script::Shell("ln -s '<ARENA>/env-copied' .env; git add -f .env; tried git commit -qm env"),
        effect: Effect::Appears("<ARENA>/env-copied"),
        control: Control::Careless("cat '<REPO>/.env' >.env"),
        expect: Expect::Contained,
        end: Ending::IsBuiltOn,
    },
    Probe {
        id: "fifo",
        tries: "leave a FIFO as .gitignore, for the host to wait on",
        script: Script::Shell("rm -f .gitignore; tried mkfifo .gitignore"),
        effect: Effect::Appears("<MARK>"),
        control: Control::Careless("timeout 1 cat .gitignore || touch '<MARK>'"),
        expect: Expect::Contained,
        end: Ending::Fails,
    },
    Probe {
        id: "hostile-tree",
        tries: "commit a tree with an entry named .git",
        script: Script::Shell(
            "blob=$(git hash-object -w README); raw=$(printf '%s' \"$blob\" | sed 's/../\\\\x&/g')\n\
             tree=$(perl -e \"print \\\"100644 .git\\\\0$raw\\\"\" | git hash-object -t tree -w --stdin --literally)\n\
             commit=$(git commit-tree -p HEAD -m hostile \"$tree\"); echo \"COMMIT $commit\"\n\
             tried git update-ref HEAD \"$commit\"",
        ),
        effect: Effect::Enters,
        control: Control::Plain,
        expect: Expect::Contained,
        end: Ending::Succeeds,
    },
    Probe {
        id: "escape-sequences",
        tries: "have the gate print sequences that repaint a terminal",
        script: Script::Shell("printf '\\033[2J\\033]0;owned\\007red' >GATE-SAYS; cat GATE-SAYS; echo; tried true"),
        effect: Effect::Repaints,
        control: Control::Plain,
        expect: Expect::Contained,
        end: Ending::Succeeds,
    },
];
