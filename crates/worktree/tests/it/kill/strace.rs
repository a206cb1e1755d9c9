//! Watches a process's system calls, and kills it before one of them.

use std::process::{Child, Command, Stdio};

use crate::child;

/// The calls that change something on a disk, or make it last.
const CALLS: &str = "openat,write,pwrite64,copy_file_range,ftruncate,fsync,fdatasync,syncfs,mkdir,mkdirat,rmdir,\
                     rename,renameat,renameat2,link,linkat,unlink,unlinkat,symlink,symlinkat,chmod,fchmod,fchmodat,\
                     utimensat";

/// A call of this name, the how-manieth of its thread since the operation began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    name: String,
    number: usize,
    /// What it was, for people.
    shown: String,
}

impl Step {
    /// A step that was not seen before, but may be there.
    pub(super) fn new(name: &str, number: usize) -> Self {
        Self { name: name.to_owned(), number, shown: String::new() }
    }

    /// The call of the same name that came so many before it, or the first.
    pub(super) fn earlier(&self, back: usize) -> Self {
        Self { number: self.number.saturating_sub(back).max(1), ..self.clone() }
    }
}

/// Whether processes can be watched here.
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
pub(super) fn works() -> bool {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|s| s.success());
    if !works {
        let required = std::env::var("HEDGEROW_REQUIRE").is_ok_and(|list| list.split(',').any(|name| name == "native"));
        assert!(!required, "strace is required, and missing or not permitted");
        eprintln!("SKIPPED: strace is missing or not permitted, so no process is killed step by step");
    }
    works
}

/// Watches a whole operation.
pub(super) fn watch(operation: &str, path: &str, log: &std::path::Path) -> Vec<Step> {
    let mut child = child::start_waiting("act", &[path, operation]);
    let mut tracer = attach(&child, &["-y", "-o", log.to_str().unwrap(), "-e", &format!("trace={CALLS}")]);
    child::let_go(&mut child);
    assert!(child.wait().unwrap().success(), "{operation} failed without being disturbed");
    tracer.wait().unwrap();
    parse(&std::fs::read_to_string(log).unwrap())
}

/// Kills an operation before this step, and says whether it came to that.
pub(super) fn kill(operation: &str, path: &str, step: &Step) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let mut child = child::start_waiting("act", &[path, operation]);
    let inject = format!("inject={}:signal=SIGKILL:when={}", step.name, step.number);
    let mut tracer = attach(&child, &["-o", "/dev/null", "-e", &format!("trace={}", step.name), "-e", &inject]);
    child::let_go(&mut child);
    let status = child.wait().unwrap();
    tracer.wait().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{operation} failed before {step:?}: {status}");
    status.signal() == Some(9)
}

/// Attaches to a process that waits, and returns when all of its threads are watched.
fn attach(child: &Child, options: &[&str]) -> Child {
    let pid = child.id().to_string();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-s", "64"]).args(options).args(["-p", &pid]).stdin(Stdio::null());
    let mut tracer = command.spawn().expect("strace starts");
    let watched = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    };
    let tasks = format!("/proc/{pid}/task");
    while !std::fs::read_dir(&tasks).unwrap().flatten().all(watched) {
        assert!(tracer.try_wait().unwrap().is_none(), "strace ended before it was attached");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    tracer
}

/// The steps of the one thread that does most, in order; what does not last is left out.
fn parse(log: &str) -> Vec<Step> {
    let mut threads: std::collections::BTreeMap<&str, Vec<Step>> = Default::default();
    let mut counts: std::collections::BTreeMap<(&str, &str), usize> = Default::default();
    for line in log.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
        if name.contains("resumed") || !CALLS.split(',').any(|known| known == name) {
            continue;
        }
        let number = counts.entry((thread, name)).or_default();
        *number += 1;
        let opens_only = name == "openat" && !rest.contains("O_CREAT") && !rest.contains("O_TRUNC");
        let elsewhere = rest.contains("anon_inode") || rest.contains("pipe:") || rest.contains("socket:");
        if !opens_only && !elsewhere {
            let shown: String = rest.chars().take(160).collect();
            let step = Step { name: name.to_owned(), number: *number, shown };
            threads.entry(thread).or_default().push(step);
        }
    }
    threads.into_values().max_by_key(Vec::len).unwrap_or_default()
}

#[test]
fn only_what_changes_something_is_a_step() {
    let log = "7 openat(AT_FDCWD</r>, \"a\", O_RDONLY|O_CLOEXEC) = 5</r/a>\n\
               7 openat(AT_FDCWD</r>, \"b\", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 5</r/b>\n\
               8 write(4<anon_inode:[eventfd]>, \"\\1\", 8) = 8\n\
               7 write(5</r/b>, \"x\", 1 <unfinished ...>\n7 <... write resumed>) = 1\n\
               7 +++ exited with 0 +++\n";
    let steps: Vec<_> = parse(log).into_iter().map(|step| (step.name, step.number)).collect();
    assert_eq!(steps, [("openat".to_owned(), 2), ("write".to_owned(), 1)]);
}
