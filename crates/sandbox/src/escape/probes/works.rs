//! What agents and builds do all day: a sandbox that breaks tools gets switched off.

use crate::escape::probe::{Probe, tool};

macro_rules! shell {
    ($needs:literal, $script:literal) => {
        concat!("needs(qw(", $needs, ")); mkdir '<ID>'; chdir '<ID>'; works(q{", $script, "});")
    };
}

pub(super) const PROBES: &[Probe] = &[
    tool(
        "works.pipes",
        "move a megabyte through a chain of pipes",
        shell!("sh cat head wc", "test $(head -c 1048576 /dev/zero | cat | cat | cat | wc -c) = 1048576"),
    ),
    tool("works.locks", "lock a file", "open(my $f, '>', '<ID>') or return tried(0); tried(flock($f, 2 | 4));"),
    tool(
        "works.inotify",
        "be told of changes of files",
        "my $fd = syscall(<SYS_inotify_init1>, 0); $fd >= 0 or return tried(0); my $at = \".\\0\"; call(<SYS_inotify_add_watch>, $fd, $at, 0x100);",
    ),
    tool(
        "works.generated-code",
        "run code that it generated (mmap, mprotect)",
        "my $at = syscall(<SYS_mmap>, 0, 4096, 3, 0x22, -1, 0); $at != -1 or return tried(0); call(<SYS_mprotect>, $at, 4096, 5);",
    ),
    tool(
        "works.memory-program",
        "run a program from memory (memfd, execveat)",
        "my $name = \"x\\0\"; my $fd = syscall(<SYS_memfd_create>, $name, 0); $fd >= 0 or return tried(0); open(my $f, '>&=', $fd); syswrite($f, pack('H*', '<ELF_TRUE>')); my $pid = fork; if (!$pid) { my ($none, $args) = (\"\\0\", pack('PQ', \"x\\0\", 0)); my $env = pack('Q', 0); syscall(<SYS_execveat>, $fd, $none, $args, $env, 0x1000); POSIX::_exit(9) } waitpid $pid, 0; told($? == 0 ? 'ok' : \"no: status $?\");",
    ),
    tool(
        "works.trace-child",
        "trace a child of its own",
        "my $pid = fork; if (!$pid) { sleep 5; POSIX::_exit(0) } my $got = syscall(<SYS_ptrace>, 0x4206, $pid, 0, 0); my $why = word(); kill 'KILL', $pid; told($got == 0 ? 'ok' : $why);",
    ),
    tool(
        "works.terminal",
        "open a terminal of its own",
        "POSIX::setsid(); sysopen(my $main, '/dev/ptmx', O_RDWR | O_NOCTTY) or return tried(0); my $zero = pack('i', 0); ioctl($main, 0x40045431, $zero) or return tried(0); my $n = pack('I', 0); ioctl($main, 0x80045430, $n) or return tried(0); my $ok = sysopen(my $tty, '/dev/pts/' . unpack('I', $n), O_RDWR); tried($ok && -t $tty);",
    ),
    tool(
        "works.loopback",
        "serve and connect on its own loopback",
        "socket(my $s, PF_INET, SOCK_STREAM, 0) or return tried(0); bind($s, inet('127.0.0.1', 0)) && listen($s, 1) or return tried(0); socket(my $c, PF_INET, SOCK_STREAM, 0); tried(connect($c, getsockname $s));",
    ),
    tool(
        "works.unix-socket",
        "serve and connect on a unix socket in its tree",
        "socket(my $s, PF_UNIX, SOCK_STREAM, 0) or return tried(0); bind($s, pack_sockaddr_un('<ID>')) && listen($s, 1) or return tried(0); socket(my $c, PF_UNIX, SOCK_STREAM, 0); tried(connect($c, pack_sockaddr_un('<ID>')));",
    ),
    tool(
        "works.pairs",
        "make a pair of sockets",
        "socketpair(my $one, my $two, AF_UNIX, SOCK_STREAM, 0) or return tried(0); tried(defined syswrite($one, 'x'));",
    ),
    tool(
        "works.devices",
        "use /dev/null, /dev/zero, /dev/urandom and /dev/full",
        shell!("sh head", "head -c 9 /dev/zero >/dev/null && head -c 9 /dev/urandom >/dev/null && ! echo x >/dev/full"),
    ),
    tool(
        "works.descriptors",
        "name its own descriptors in /dev/fd",
        shell!("sh cat", "echo x | cat /dev/fd/0 /dev/stdin >/dev/stdout && echo e >/dev/stderr"),
    ),
    tool(
        "works.shared-memory",
        "use /dev/shm",
        "open(my $f, '>', '/dev/shm/<MARK>') or return tried(0); print $f 'x'; close $f; tried(unlink('/dev/shm/<MARK>'));",
    ),
    tool(
        "works.memory-segments",
        "use a shared memory segment of its own",
        "my $id = shmget(0, 64, 0600) // return tried(0); tried(shmwrite($id, 'x', 0, 1)); shmctl($id, 0, 0);",
    ),
    tool(
        "works.temporary",
        "make temporary files",
        shell!("sh mktemp", "f=$(mktemp) && d=$(mktemp -d) && echo x >$d/x && rm -r $f $d"),
    ),
    tool(
        "works.temporary-program",
        "run a script from /tmp",
        "put('/tmp/<MARK>', \"#!/bin/sh\\nexit 0\\n\"); chmod 0755, '/tmp/<MARK>'; my $got = system { '/tmp/<MARK>' } 'x'; unlink '/tmp/<MARK>'; told($got == 0 ? 'ok' : 'no');",
    ),
    tool(
        "works.nameless-file",
        "make a file without a name (O_TMPFILE)",
        "sysopen(my $f, '.', 020200000 | O_RDWR, 0600) or return tried(0); tried(syswrite($f, 'x'));",
    ),
    tool(
        "works.links",
        "make hard links, symlinks and FIFOs in its tree",
        "quiet('<ID>'); tried(link('<ID>', '<ID>-h') && symlink('<ID>', '<ID>-s') && POSIX::mkfifo('<ID>-f', 0600) && rename('<ID>-h', '<ID>-r'));",
    ),
    tool(
        "works.modes",
        "change modes and times in its tree",
        "quiet('<ID>'); tried(chmod(0750, '<ID>') && utime(1, 1, '<ID>') && mkdir('<ID>-d', 01777) && chmod(01777, '<ID>-d'));",
    ),
    tool(
        "works.long-line",
        "pass a hundred thousand bytes as arguments",
        shell!("sh true", "true $(printf %0100000d 1)"),
    ),
    tool(
        "works.home",
        "write into its home",
        "tried(quiet(\"$ENV{HOME}/.<MARK>\") && unlink(\"$ENV{HOME}/.<MARK>\"));",
    ),
    tool("works.user", "know who it is", shell!("sh id", "id -un && id -gn && test -n \"$HOME\"")),
    tool(
        "works.text",
        "work with text that is not ASCII",
        shell!(
            "sh perl",
            "perl -CSD -Mutf8 -e 'print length(chr(0x20ac)) == 1 ? exit 0 : exit 1'; touch $(printf '\\303\\274')"
        ),
    ),
    tool(
        "works.signals",
        "send signals to its own processes",
        "my $pid = fork; if (!$pid) { sleep 5; POSIX::_exit(0) } kill 'TERM', $pid; waitpid $pid, 0; told($? == 15 ? 'ok' : \"no: $?\");",
    ),
    tool("works.priority", "lower its own priority", shell!("sh nice", "nice true")),
    tool(
        "works.substitution",
        "substitute processes in bash",
        shell!("bash diff cat", "bash -c 'diff <(echo a) <(echo a) && echo x > >(cat)'"),
    ),
    tool(
        "works.archive",
        "pack and unpack an archive",
        shell!(
            "sh tar",
            "mkdir d && echo x >d/f && chmod 750 d/f && tar cf a.tar d && rm -r d && tar xpf a.tar && test $(stat -c %a d/f) = 750"
        ),
    ),
    tool(
        "works.make",
        "build with make and four jobs",
        shell!(
            "sh make touch",
            "printf 'all: a b c d\\na b c d:\\n\\t@sleep 0.1; touch $@\\n' >Makefile && make -s -j4 && test -e d"
        ),
    ),
    tool(
        "works.compiler",
        "compile and run a C program",
        shell!(
            "sh gcc",
            "printf '#include <stdio.h>\\nint main(void){puts(\"built\");return 0;}' >a.c && gcc -o a a.c && ./a"
        ),
    ),
    tool(
        "works.threads",
        "run threads in Python",
        shell!(
            "python3",
            "python3 -c 'import threading as t; a = [t.Thread(target=print, args=(i,)) for i in range(8)]; [x.start() for x in a]; [x.join() for x in a]'"
        ),
    ),
    tool(
        "works.python-processes",
        "run many processes from Python",
        "needs('python3'); system('python3 -c \"import multiprocessing\" 2>/dev/null') == 0 or skip('python3 has no multiprocessing'); works(q{python3 -c 'import multiprocessing as m, math; p = m.Pool(2); assert p.map(math.sqrt, [4, 9]) == [2, 3]; p.close(); p.join()'});",
    ),
    tool(
        "works.node",
        "run JavaScript with workers",
        shell!(
            "node",
            "node -e 'const { Worker } = require(\"worker_threads\"); new Worker(\"process.exit(0)\", { eval: true }).on(\"exit\", c => process.exit(c))'"
        ),
    ),
    tool(
        "works.npm",
        "install a package of its own with npm, offline",
        shell!(
            "npm",
            "mkdir p q && echo '{\"name\":\"p\",\"version\":\"1.0.0\"}' >p/package.json && echo '{\"name\":\"q\",\"version\":\"1.0.0\"}' >q/package.json && cd q && npm install --offline --no-audit --no-fund --loglevel=error ../p && test -e node_modules/p"
        ),
    ),
    tool(
        "works.debugger",
        "trace a program with strace",
        shell!("strace true", "strace -f -o log true && grep -q execve log"),
    ),
    tool("works.git", "init, commit, branch, stash, gc and fsck with git", REPOSITORY),
    tool("works.git-worktree", "clone and add a worktree with git", CLONE),
    tool(
        "works.orphans",
        "have a thousand orphans collected",
        "my $tries = 0; for (1 .. 334) { my $pid = fork; if (!defined $pid) { $tries++ < 1000 or return tried(0); select(undef, undef, undef, 0.01); redo } if (!$pid) { for (1 .. 3) { my $pid = fork; POSIX::_exit(0) if defined $pid && !$pid } POSIX::_exit(0) } waitpid $pid, 0 } tried(1);",
    ),
];

const REPOSITORY: &str = shell!(
    "git",
    "export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a.invalid GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a.invalid; git init -q . && echo x >f && git add f && git commit -qm one && git checkout -qb other && echo y >f && git stash -q && git stash pop -q && git commit -qam two && git gc -q && git fsck --strict --no-dangling"
);
const CLONE: &str = shell!(
    "git",
    "export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a.invalid GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a.invalid; git init -q r && git -C r commit -q --allow-empty -m one && git clone -q r s && git -C s worktree add -q ../t && git -C t log --format=%s"
);
