//! What leaves processes behind: agents that mean to, and tools that just do.
//!
//! Each is a script for `sh` that makes its processes and goes on behind it; what comes then is the same for all.

/// One of them.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) name: &'static str,
    /// Without one of these programs it cannot be tried.
    needs: &'static [&'static str],
    script: &'static str,
    last: Last,
}

/// What the first process does in the end, unless it leaves.
#[derive(Clone, Copy, Debug)]
enum Last {
    Sleep,
    /// Signals that ask it to end are ignored.
    Deaf,
    /// It stops itself.
    Stopped,
}

/// The status of a script that lacks a program.
pub(super) const ABSENT: i32 = 77;

impl Agent {
    /// The script. It makes a file `ready` when its processes are there. With the variable `LEAVE`, its first process ends
    /// then.
    pub(super) fn script(&self) -> String {
        let needs: String =
            self.needs.iter().map(|tool| format!("command -v {tool} >/dev/null || exit {ABSENT}\n")).collect();
        let (first, last) = match self.last {
            Last::Sleep => ("", "sleep 600"),
            Last::Deaf => ("trap '' TERM INT HUP QUIT\n", "while :; do sleep 600; done"),
            Last::Stopped => ("", "kill -STOP $$; sleep 600"),
        };
        let script = self.script;
        format!("{needs}{first}{script}\nsleep 0.3\n: >ready\n[ -z \"$LEAVE\" ] || exit 0\n{last}\n")
    }
}

const fn agent(name: &'static str, needs: &'static [&'static str], script: &'static str) -> Agent {
    Agent { name, needs, script, last: Last::Sleep }
}

const fn deaf(name: &'static str, needs: &'static [&'static str], script: &'static str) -> Agent {
    Agent { name, needs, script, last: Last::Deaf }
}

/// All of them.
pub(super) const ALL: &[Agent] = &[
    agent("forks", &[], "sleep 600 & (sleep 600 & sleep 600) &"),
    agent("a session of its own", &["setsid"], "setsid sleep 600 & setsid sh -c 'sleep 600 & sleep 600' &"),
    agent(
        "a daemon that forked twice",
        &["perl"],
        "perl -MPOSIX -e 'fork and exit; setsid; fork and exit; chdir \"/\"; close $_ for *STDIN, *STDOUT, *STDERR; \
         sleep 600'",
    ),
    deaf(
        "ignores SIGTERM, SIGINT, SIGHUP",
        &["setsid"],
        "setsid sh -c 'trap \"\" TERM INT HUP; sleep 600; sleep 600' &",
    ),
    Agent {
        name: "stops itself",
        needs: &["perl"],
        script: "perl -e 'kill STOP => $$; sleep 600' & perl -MPOSIX -e 'setsid; kill STOP => $$; sleep 600' &",
        last: Last::Stopped,
    },
    agent(
        "an empty environment",
        &["setsid", "env"],
        "env -i setsid sleep 600 & env -i setsid sh -c 'sleep 600 & sleep 600' &",
    ),
    deaf(
        "nothing to be found by",
        &["perl", "setsid"],
        "env -i setsid perl -MPOSIX -e 'fork and exit; setsid; fork and exit; chdir \"/\"; $0 = \"[kworker/0:1]\"; \
         POSIX::close($_) for 0..255; $SIG{$_} = \"IGNORE\" for qw(TERM INT HUP); sleep 600' &",
    ),
    agent(
        "forks on and on, quicker than a scan",
        &["perl"],
        "for n in 1 2 3; do perl -MPOSIX -e 'setsid; while (1) { my $p = fork; POSIX::_exit(0) if $p; \
         select undef, undef, undef, 0.0005 }' & done",
    ),
    deaf(
        "a storm of forks when it is asked to end",
        &["perl"],
        "for n in 1 2 3 4 5; do perl -MPOSIX -e '$SIG{TERM} = sub { for (1..20) { if (!fork) { setsid; sleep 600 } } }; \
         sleep 600 while 1' & done",
    ),
    agent(
        "a storm of forks all the time",
        &["perl"],
        "perl -MPOSIX -e '$SIG{CHLD} = \"IGNORE\"; while (1) { if (!fork) { setsid; select undef, undef, undef, 0.05; \
         if (!fork) { select undef, undef, undef, 0.05 } POSIX::_exit(0) } select undef, undef, undef, 0.005 }' &",
    ),
    agent(
        "processes that trace each other",
        &["perl"],
        "perl -MPOSIX -e 'my $p = fork; if (!$p) { syscall(101, 0, 0, 0, 0); kill STOP => $$; sleep 600 } sleep 600' & \
         perl -MPOSIX -e 'my $p = fork; if (!$p) { sleep 600; exit } syscall(101, 16, $p, 0, 0); sleep 600' &",
    ),
    agent(
        "writes without end to pipes that it keeps",
        &["perl", "setsid"],
        "setsid perl -e '$SIG{PIPE} = \"IGNORE\"; $| = 1; while (1) { print \"x\"; select undef, undef, undef, 0.01 }' &",
    ),
    agent(
        "a reaper of its own",
        &["perl", "setsid"],
        "setsid perl -e '$n = 0; syscall(157, 36, 1, $n, $n, $n); if (!fork) { if (!fork) { sleep 600 } exit } \
         sleep 600' &",
    ),
    agent(
        "a process namespace of its own",
        &["unshare"],
        "unshare --fork --pid sleep 600 & setsid unshare --fork --pid sleep 600 & setsid sleep 600 &",
    ),
    agent("bash: job control, disown", &["bash"], "bash -mc 'sleep 600 & sleep 600 & disown -a; sleep 600 &'"),
    agent(
        "bash: coproc",
        &["bash"],
        "bash -c 'coproc sleep 600; coproc OTHER { sleep 600; }; sleep 600' 2>/dev/null &",
    ),
    agent(
        "script: a shell on a terminal",
        &["script", "bash"],
        "script -qec \"bash -ic 'sleep 600 & sleep 600'\" /dev/null </dev/null >/dev/null 2>&1 &",
    ),
    agent("nohup", &["nohup"], "nohup sleep 600 >/dev/null 2>&1 &"),
    agent("setsid --fork", &["setsid"], "setsid --fork sleep 600"),
    agent("timeout", &["timeout"], "timeout 600 sleep 600 & timeout --foreground 600 sleep 600 &"),
    agent("make -j", &["make"], "printf 'all: a b c d\\na b c d:\\n\\tsleep 600\\n' >Makefile; make -j4 >/dev/null &"),
    agent(
        "python: a pool of processes",
        &["python3"],
        "python3 -c 'import multiprocessing.pool' 2>/dev/null || exit 77\npython3 -c '\nimport multiprocessing, time\n\
         with multiprocessing.Pool(4) as pool: pool.map(time.sleep, [600] * 4)' &",
    ),
    agent(
        "python: a new session",
        &["python3"],
        "python3 -c 'import subprocess' 2>/dev/null || exit 77\n\
         python3 -c 'import subprocess; subprocess.Popen([\"sleep\", \"600\"], start_new_session=True)'",
    ),
    agent(
        "node: detached and unreferenced",
        &["node"],
        "node -e 'require(\"child_process\").spawn(\"sleep\", [\"600\"], {detached: true, stdio: \"ignore\"}).unref()'",
    ),
    agent(
        "git: the daemon that keeps credentials",
        &["git"],
        "mkdir -m 700 c; printf 'protocol=https\\nhost=h\\nusername=u\\npassword=p\\n\\n' | \
         git credential-cache --socket \"$PWD/c/s\" store",
    ),
    agent("ssh-agent", &["ssh-agent"], "ssh-agent >/dev/null"),
    agent("tmux", &["tmux"], "tmux -S s new-session -d 'sleep 600' || exit 77"),
];
