//! The real repository: hooks, config, branches, objects.

use crate::hostile::probe::{Control, Effect, Ending, Expect, Probe, Script};

pub(super) const PROBES: &[Probe] = &[
    Probe {
        id: "plant-hook",
        tries: "plant a hook in the real repository",
        script: Script::Perl(
            "put('<GIT>/hooks/post-checkout', \"#!/bin/sh\\ntouch <MARK>\\n\"); chmod 0755, '<GIT>/hooks/post-checkout';",
        ),
        effect: Effect::Appears("<GIT>/hooks/post-checkout"),
        control: Control::Plain,
        expect: Expect::Harmless,
        end: Ending::Fails,
    },
    Probe {
        id: "plant-config",
        tries: "write the real repository's config",
        script: Script::Perl(
            "my $file; tried(open($file, '>>', '<GIT>/config') && print($file \"[evidence]\\n\\tplanted = true\\n\") && close($file));",
        ),
        effect: Effect::Changes("<GIT>/config"),
        control: Control::Plain,
        expect: Expect::Harmless,
        end: Ending::Fails,
    },
    Probe {
        id: "plant-attributes",
        tries: "write the real repository's info/attributes",
        script: Script::Perl("put('<GIT>/info/attributes', \"* filter=evil\\n\");"),
        effect: Effect::Appears("<GIT>/info/attributes"),
        control: Control::Plain,
        expect: Expect::Harmless,
        end: Ending::Fails,
    },
    Probe {
        id: "plant-ref",
        tries: "write a ref file in the real repository",
        script: Script::Perl("put('<GIT>/refs/heads/planted', \"<BASE>\\n\");"),
        effect: Effect::Appears("<GIT>/refs/heads/planted"),
        control: Control::Plain,
        expect: Expect::Harmless,
        end: Ending::Fails,
    },
    Probe {
        id: "own-config",
        tries: "set core.fsmonitor with its own git, for the host to run",
        script: Script::Shell(
            "printf '#!/bin/sh\\ntouch <MARK>\\n' >evil; chmod +x evil\n\
             tried git config core.fsmonitor \"$PWD/evil\"",
        ),
        effect: Effect::Appears("<MARK>"),
        control: Control::Careless("git status; git config --unset core.fsmonitor"),
        expect: Expect::Contained,
        end: Ending::Fails,
    },
    Probe {
        id: "own-filter",
        tries: "set a filter with its own git, and land .gitattributes that use it",
        script: Script::Shell(
            "git config filter.evil.clean 'touch <MARK>; cat'; git config filter.evil.smudge 'touch <MARK>; cat'\n\
             echo '*.txt filter=evil' >.gitattributes; echo text >new.txt; tried true",
        ),
        effect: Effect::Appears("<MARK>"),
        control: Control::Careless("git add -A"),
        expect: Expect::Contained,
        end: Ending::Lands,
    },
    Probe {
        id: "move-branch",
        tries: "move another branch with git update-ref",
        script: Script::Shell(
            "echo x >moved; git add -A; git commit -qm moved; tried git update-ref refs/heads/other HEAD",
        ),
        effect: Effect::Moves("refs/heads/other"),
        control: Control::Plain,
        expect: Expect::Contained,
        end: Ending::Fails,
    },
    Probe {
        id: "force-branch",
        tries: "move another branch with git branch -f",
        script: Script::Shell("echo x >forced; git add -A; git commit -qm forced; tried git branch -f third HEAD"),
        effect: Effect::Moves("refs/heads/third"),
        control: Control::Plain,
        expect: Expect::Contained,
        end: Ending::Fails,
    },
    Probe {
        id: "push",
        tries: "push to the real repository by its path",
        script: Script::Shell(
            "echo x >pushed; git add -A; git commit -qm pushed\n\
             tried git -c safe.directory='*' push -q '<REPO>' HEAD:refs/heads/pushed",
        ),
        effect: Effect::Moves("refs/heads/pushed"),
        control: Control::Plain,
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
    Probe {
        id: "delete-object",
        tries: "delete an object of the real repository",
        script: Script::Perl("chmod 0777, '<OBJECTDIR>'; tried(unlink('<OBJECT>'));"),
        effect: Effect::Vanishes("<OBJECT>"),
        control: Control::Plain,
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
    Probe {
        id: "add-object",
        tries: "write into the real repository's object store",
        script: Script::Perl("put('<GIT>/objects/evil');"),
        effect: Effect::Appears("<GIT>/objects/evil"),
        control: Control::Plain,
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
];
