//! What the tests share: lanes to try, commands to run, and looks at the host from outside.

#[cfg(feature = "native")]
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hedgerow_sandbox::{
    Command, Exit, HostSandbox, Output, Policy, Process, Running, Sandbox, SandboxId, Spec, Stream,
};
#[cfg(feature = "native")]
use hedgerow_sandbox::{NativeOptions, NativeSandbox};

/// Long enough for anything that happens at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) exit: Exit,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) marks: u32,
}

impl Seen {
    pub(crate) fn out(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("text").trim_end()
    }

    pub(crate) fn text(&self) -> String {
        let (out, err) = (String::from_utf8_lossy(&self.stdout), String::from_utf8_lossy(&self.stderr));
        format!("{:?}\n--- stdout\n{out}\n--- stderr\n{err}", self.exit)
    }

    /// The same, after a check that the command succeeded.
    pub(crate) fn ok(self) -> Self {
        assert!(self.exit.success(), "{}", self.text());
        self
    }
}

/// The lanes that do not need a daemon.
pub(crate) fn lanes() -> Vec<Box<dyn Sandbox>> {
    #[cfg_attr(not(feature = "native"), expect(unused_mut, reason = "only that feature adds a lane"))]
    let mut lanes: Vec<Box<dyn Sandbox>> = vec![Box::new(HostSandbox::new().expect("the host lane"))];
    #[cfg(feature = "native")]
    lanes.extend(native().map(|lane| Box::new(lane) as Box<dyn Sandbox>));
    lanes
}

/// The native lane; none, said loudly, where the machine cannot have it and `HEDGEROW_REQUIRE` does not name it.
#[cfg(feature = "native")]
pub(crate) fn native() -> Option<NativeSandbox> {
    native_with(NativeOptions::default())
}

/// The same with options.
#[cfg(feature = "native")]
pub(crate) fn native_with(options: NativeOptions) -> Option<NativeSandbox> {
    match NativeSandbox::probe_with(options) {
        Ok(lane) => Some(lane),
        Err(error) if required("native") => panic!("HEDGEROW_REQUIRE names native, but: {error}"),
        Err(error) => {
            skipped(&error.to_string());
            None
        }
    }
}

/// Whether a test that needs this must not be skipped.
pub(crate) fn required(what: &str) -> bool {
    std::env::var("HEDGEROW_REQUIRE").is_ok_and(|list| list.split(',').any(|name| name.trim() == what))
}

/// A specification that lets every lane run.
pub(crate) fn open() -> Spec {
    spec(Policy::open())
}

/// A specification with this policy and nothing mounted.
pub(crate) fn spec(policy: Policy) -> Spec {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let id = format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let id = SandboxId::new(id).expect("an id");
    Spec { id, labels: [].into(), policy, mounts: Vec::new(), home: None }
}

pub(crate) fn sh(script: impl AsRef<str>) -> Command {
    let mut command = Command::new("/bin/sh", "/").args(["-c", script.as_ref()]);
    command.grace = Duration::from_millis(300);
    command.deadline(Duration::from_secs(60))
}

pub(crate) async fn start(lane: &dyn Sandbox, spec: Spec) -> Box<dyn Running> {
    lane.start(spec).await.expect("the sandbox starts")
}

/// Runs one command in a sandbox of its own.
pub(crate) async fn run(lane: &dyn Sandbox, spec: Spec, command: Command) -> Seen {
    let mut running = start(lane, spec).await;
    watch(running.exec(command).await.expect("the program starts")).await
}

/// Reads a process to its end.
pub(crate) async fn watch(mut process: Process) -> Seen {
    let (mut stdout, mut stderr, mut marks) = (Vec::new(), Vec::new(), 0);
    while let Some(output) = process.next().await {
        match output {
            Output::Bytes(Stream::Stdout, bytes) => stdout.extend(bytes),
            Output::Bytes(Stream::Stderr, bytes) => stderr.extend(bytes),
            Output::Truncated { .. } => marks += 1,
        }
    }
    let exit = process.wait().await.expect("an exit");
    Seen { exit, stdout, stderr, marks }
}

/// Reads until this text was printed on standard output, and returns all that was.
pub(crate) async fn until(process: &mut Process, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        match process.next().await {
            Some(Output::Bytes(_, bytes)) => seen.push_str(&String::from_utf8_lossy(&bytes)),
            other => panic!("{other:?} before {text:?}; so far: {seen}"),
        }
    }
    seen
}

/// The processes of the whole host that have this text in their command line.
pub(crate) fn alive(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(text) {
            found.push(format!("{}: {line}", entry.file_name().display()));
        }
    }
    found
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A number of seconds to sleep that no other test uses, so that `alive` finds the sleepers of one test.
pub(crate) fn nap() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{}", 40_000 + std::process::id() % 10_000, 1000 + NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Copies the program of these tests, in another process: whatever is forked here while a file is written has it open for a
/// moment, and the kernel runs no program that is open to be written.
#[cfg(feature = "native")]
pub(crate) fn copy_these_tests(to: &Path) {
    let program = std::env::current_exe().unwrap();
    assert!(std::process::Command::new("cp").arg(program).arg(to).status().unwrap().success());
}

#[cfg(feature = "native")]
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// Says loudly that something was not tested here.
#[expect(clippy::print_stderr, reason = "a test that proved nothing must not look like one that did")]
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}
