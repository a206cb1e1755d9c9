//! The docker lane against a real engine.

#[cfg(all(target_os = "linux", feature = "egress", feature = "native"))]
mod attack;
mod commands;
#[cfg(all(target_os = "linux", feature = "conformance", feature = "fake"))]
mod conformance;
mod contact;
mod disk;
#[cfg(all(target_os = "linux", feature = "egress", feature = "native"))]
mod egress;
mod hardened;
mod image;
mod input;
mod leftovers;
mod life;
mod limits;
mod pinned;
#[cfg(target_os = "linux")]
mod podman;
#[cfg(target_os = "linux")]
mod pool;
mod secrets;
mod verify;
mod walls;

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::ListContainersOptionsBuilder;
use hedgerow_sandbox::{
    Access, Command, DockerOptions, DockerSandbox, Error, Exit, Labels, Mount, Output, Policy, Process, Running,
    Sandbox, SandboxId, Spec, Stream,
};
use tempfile::TempDir;

/// What `scripts/docker-image` makes unless it is told otherwise.
const IMAGE: &str = "hedgerow-agent:local";

/// The lane, or none with a loud word where there is no engine; where one is demanded, that is a failure.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) async fn lane_with(options: impl FnOnce(DockerOptions) -> DockerOptions) -> Option<DockerSandbox> {
    match DockerSandbox::connect(options(DockerOptions::new(IMAGE))).await {
        Ok(lane) => Some(lane),
        Err(error @ Error::Unavailable { .. }) => {
            let demanded = std::env::var("HEDGEROW_REQUIRE").unwrap_or_default();
            assert!(
                !demanded.split(',').any(|lane| lane.trim() == "docker"),
                "HEDGEROW_REQUIRE names docker, but {error}"
            );
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn lane() -> Option<DockerSandbox> {
    lane_with(|options| options).await
}

/// A tree that a sandbox may write, owned by an ordinary user where the test may give it away.
struct Tree {
    _dir: Option<TempDir>,
    path: PathBuf,
}

impl Tree {
    /// One of another process.
    #[cfg(target_os = "linux")]
    fn at(path: PathBuf) -> Self {
        Self { _dir: None, path }
    }
}

fn tree() -> Tree {
    let dir = TempDir::new().expect("temporary directory");
    let path = dir.path().join("tree");
    std::fs::create_dir(&path).expect("tree");
    if path.metadata().expect("metadata").uid() == 0 {
        chown(&path, Some(5000), Some(5001)).expect("root may give a directory away");
    }
    Tree { _dir: Some(dir), path }
}

fn fresh_id(name: &str) -> SandboxId {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    SandboxId::new(format!("test-{name}-{}-{count}", std::process::id())).expect("valid")
}

fn writable(path: &Path) -> Mount {
    Mount { source: path.into(), target: path.into(), access: Access::ReadWrite }
}

fn spec(name: &str, tree: &Tree) -> Spec {
    let labels = Labels::from([("hedgerow-test".to_owned(), name.to_owned())]);
    Spec { id: fresh_id(name), labels, policy: Policy::standard(), mounts: vec![writable(&tree.path)], home: None }
}

fn sh(script: &str, tree: &Tree) -> Command {
    Command::new("sh", &tree.path).args(["-c", script]).deadline(Duration::from_secs(120))
}

/// All that a command said and how it ended.
#[derive(Debug)]
struct Said {
    out: Vec<u8>,
    err: Vec<u8>,
    truncated: u32,
    exit: Exit,
}

impl Said {
    fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
    fn err(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }
}

async fn listen(mut process: Process) -> Said {
    let (mut out, mut err, mut truncated) = (Vec::new(), Vec::new(), 0);
    while let Some(output) = process.next().await {
        match output {
            Output::Bytes(Stream::Stdout, bytes) => out.extend(bytes),
            Output::Bytes(Stream::Stderr, bytes) => err.extend(bytes),
            Output::Truncated { .. } => truncated += 1,
        }
    }
    let exit = process.wait().await.expect("the lane did its part");
    Said { out, err, truncated, exit }
}

/// Starts a sandbox, runs one command in it to its end, and checks that nothing is left.
async fn once(lane: &DockerSandbox, spec: Spec, command: Command) -> Said {
    let id = spec.id.clone();
    let mut running = lane.start(spec).await.expect("the policy is kept");
    let said = listen(running.exec(command).await.expect("the command starts")).await;
    assert_eq!(containers(&id).await, Vec::<String>::new(), "a container is left after the end of its command");
    running.stop(Duration::from_secs(1)).await.expect("stopped");
    said
}

/// Runs one more command in a sandbox.
#[cfg(target_os = "linux")]
async fn once_in(running: &mut Box<dyn Running>, command: Command) -> Said {
    listen(running.exec(command).await.expect("the command starts")).await
}

/// The engine, past the lane.
async fn engine() -> Docker {
    let docker = Docker::connect_with_unix("/var/run/docker.sock", 60, bollard::API_DEFAULT_VERSION).expect("socket");
    docker.negotiate_version().await.expect("version")
}

/// What the engine itself says, past the lane.
async fn containers(id: &SandboxId) -> Vec<String> {
    let docker = engine().await;
    let filters = std::collections::HashMap::from([("label".to_owned(), vec![format!("hedgerow.sandbox={id}")])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let found = docker.list_containers(Some(options)).await.expect("list");
    found.into_iter().filter_map(|container| container.id).collect()
}

/// Waits until the engine has no container of a sandbox any more.
async fn gone(id: &SandboxId) {
    for _ in 0..600 {
        if containers(id).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("containers of {id} are left: {:?}", containers(id).await);
}

/// The first of the output that contains `text`, with all that came before it.
async fn until(process: &mut Process, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        match process.next().await {
            Some(Output::Bytes(_, bytes)) => seen.push_str(&String::from_utf8_lossy(&bytes)),
            Some(Output::Truncated { .. }) => panic!("truncated after {seen:?}"),
            None => panic!("ended after {seen:?}"),
        }
    }
    seen
}

/// The error of a command that cannot be started, whether it is noticed at once or a little later.
async fn refused(running: &mut Box<dyn Running>, command: Command) -> Error {
    match running.exec(command).await {
        Err(error) => error,
        Ok(process) => process.wait().await.expect_err("it cannot be started"),
    }
}

/// This test binary as a program for one of its own roles.
fn own_role(test: &str) -> (PathBuf, Vec<String>) {
    let binary = std::env::current_exe().expect("a test has a path");
    (binary, vec![format!("docker::{test}"), "--exact".into(), "--nocapture".into(), "--test-threads=1".into()])
}

const ROLE: &str = "HEDGEROW_TEST_ROLE";
