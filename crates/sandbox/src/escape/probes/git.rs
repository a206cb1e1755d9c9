//! Files that git on the host would act on. To a sandbox they are files; what git makes of them is not its matter.

use crate::Guarantee::{NoHostReads, NoHostWrites, PinnedMounts};
use crate::escape::probe::{Effect, Expected, Manner, Probe, probe};

const fn plant(id: &'static str, tries: &'static str, effect: Effect, code: &'static str) -> Probe {
    probe(id, tries, NoHostWrites, code).seen(effect).expect(Expected::Harmless)
}

const fn pinned(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoHostWrites, code).seen(Effect::Unpins)
}

const EVIL: Effect = Effect::Appears("<GIT>/hooks/post-checkout");

/// What `cp -r` of a directory makes of a mount in it.
const REBUILD: &str = "rename('<ANCESTOR>', '<ID>-away') or return tried(0); mkdir '<ANCESTOR>'; mkdir '<ANCESTOR>/er'; put('<PIN>', 'evil');";
const SWAP: &str = "mkdir '<ID>-evil'; mkdir '<ID>-evil/er'; quiet('<ID>-evil/er/pin', 'evil'); \
    my ($one, $two) = (\"<ANCESTOR>\\0\", \"<ID>-evil\\0\"); call(<SYS_renameat2>, -100, $one, -100, $two, 2); print '<PIN>' if 0;";

pub(super) const PROBES: &[Probe] = &[
    probe(
        "git.ancestor-rename",
        "rename the directory that holds a read-only mount, and build another one",
        PinnedMounts,
        REBUILD,
    )
    .seen(Effect::Unpins)
    .alone(Manner::Pinned),
    probe(
        "git.ancestor-exchange",
        "exchange the directory that holds a read-only mount with its own",
        PinnedMounts,
        SWAP,
    )
    .seen(Effect::Unpins)
    .alone(Manner::Pinned),
    pinned(
        "git.pointer-write",
        "overwrite its .git file, which a read-only mount lies on",
        "put('<PIN>', 'gitdir: evil');",
    ),
    pinned(
        "git.pointer-unlink",
        "delete its .git file and put another one there",
        "tried(unlink('<PIN>') && quiet('<PIN>', 'gitdir: evil'));",
    ),
    pinned("git.pointer-rename", "rename its .git file away", "tried(rename('<PIN>', '<ID>-away'));"),
    pinned(
        "git.pointer-replace",
        "rename another file over its .git file",
        "quiet('<ID>-evil', 'gitdir: evil'); tried(rename('<ID>-evil', '<PIN>'));",
    ),
    pinned(
        "git.pointer-exchange",
        "exchange its .git file with a directory of its own",
        "mkdir '<ID>-evil'; my ($one, $two) = (\"<PIN>\\0\", \"<ID>-evil\\0\"); call(<SYS_renameat2>, -100, $one, -100, $two, 2);",
    ),
    pinned("git.pointer-chmod", "change the mode of its .git file", "tried(chmod(0777, '<PIN>'));"),
    pinned(
        "git.pointer-link",
        "write its .git file through a hard link",
        "link('<PIN>', '<ID>-link') or return tried(0); put('<ID>-link', 'gitdir: evil');",
    ),
    pinned(
        "git.pointer-unmount",
        "take the mount off its .git file, then write it",
        "own_mounts(); my $at = \"<PIN>\\0\"; syscall(<SYS_umount2>, $at, 2); put('<PIN>', 'gitdir: evil');",
    )
    // Where nobody may have mounts of their own, it is not tried among those of the host.
    .if_allowed(),
    probe("git.token", "read a token in the real repository's directory", NoHostReads, "get('<GIT>/credentials');")
        .seen(Effect::Reads("<GIT>/credentials")),
    plant(
        "git.hook",
        "plant a hook in the real repository",
        EVIL,
        "quiet('<GIT>/hooks/post-checkout', \"#!/bin/sh\\n\"); tried(chmod(0755, '<GIT>/hooks/post-checkout'));",
    ),
    plant(
        "git.config",
        "set core.fsmonitor in the real repository's config",
        Effect::Changes("<GIT>/config"),
        "my $f; tried(open($f, '>>', '<GIT>/config') && print($f \"[core]\\n\\tfsmonitor = evil\\n\") && close($f));",
    ),
    plant(
        "git.attributes",
        "write the real repository's info/attributes",
        Effect::Appears("<GIT>/info/attributes"),
        "put('<GIT>/info/attributes', '* filter=evil');",
    ),
    plant(
        "git.ref",
        "write a branch of the real repository",
        Effect::Changes("<GIT>/refs/heads/main"),
        "put('<GIT>/refs/heads/main', '0' x 40);",
    ),
    plant(
        "git.packed-refs",
        "write the real repository's packed refs",
        Effect::Appears("<GIT>/packed-refs"),
        "put('<GIT>/packed-refs');",
    ),
    plant(
        "git.head",
        "write the real repository's HEAD",
        Effect::Changes("<GIT>/HEAD"),
        "put('<GIT>/HEAD', 'ref: refs/heads/evil');",
    ),
    plant(
        "git.commondir",
        "point its own entry to another common directory",
        Effect::Changes("<GIT>/worktrees/task/commondir"),
        "put('<GIT>/worktrees/task/commondir', '<TREE>/evil');",
    ),
    plant(
        "git.gitdir",
        "point its own entry to another tree",
        Effect::Changes("<GIT>/worktrees/task/gitdir"),
        "put('<GIT>/worktrees/task/gitdir', '<TREE>/evil');",
    ),
    plant(
        "git.worktree-config",
        "write config.worktree in its own entry",
        Effect::Appears("<GIT>/worktrees/task/config.worktree"),
        "put('<GIT>/worktrees/task/config.worktree', \"[core]\\n\\tfsmonitor = evil\\n\");",
    ),
    plant(
        "git.reflog-link",
        "make its reflog a symlink, for the host to write through",
        Effect::Appears("<GIT>/worktrees/task/logs"),
        "mkdir('<GIT>/worktrees/task/logs') or return tried(0); tried(symlink('<OUT>/file', '<GIT>/worktrees/task/logs/HEAD'));",
    ),
    plant(
        "git.index-link",
        "make its index a symlink, for the host to write through",
        Effect::Appears("<GIT>/worktrees/task/index"),
        "tried(symlink('<OUT>/file', '<GIT>/worktrees/task/index'));",
    ),
    plant(
        "git.sibling-tree",
        "change a file in the tree of another agent",
        Effect::Changes("<OUT>/file"),
        "put('../outside/<ID>/file', 'changed');",
    ),
    plant(
        "git.object-delete",
        "delete an object of the shared store, which is mounted read-only",
        Effect::Vanishes("<GIT>/objects/aa/delete"),
        "chmod 0777, '<GIT>/objects/aa'; tried(unlink('<GIT>/objects/aa/delete'));",
    ),
    plant(
        "git.object-overwrite",
        "overwrite an object of the shared store",
        Effect::Changes("<GIT>/objects/aa/overwrite"),
        "chmod 0666, '<GIT>/objects/aa/overwrite'; put('<GIT>/objects/aa/overwrite', 'evil');",
    ),
    plant(
        "git.object-add",
        "add an object to the shared store",
        Effect::Appears("<GIT>/objects/evil"),
        "put('<GIT>/objects/evil');",
    ),
    plant(
        "git.alternates",
        "name a store of its own as an alternate of the shared one",
        Effect::Appears("<GIT>/objects/alternates"),
        "put('<GIT>/objects/alternates', '<TREE>/evil');",
    ),
];
