//! An engine that goes out of reach while a command runs.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hedgerow_sandbox::{DockerOptions, DockerSandbox, End, Sandbox};
use tempfile::TempDir;

use super::{IMAGE, containers, lane, listen, sh, spec, tree, until};

/// A way to the engine that can be cut.
pub(super) struct Line {
    _dir: TempDir,
    pub(super) path: PathBuf,
    open: Arc<Mutex<Calls>>,
}

#[derive(Default)]
struct Calls {
    ends: Vec<UnixStream>,
    over: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        let dir = TempDir::new().expect("directory");
        let path = dir.path().join("line.sock");
        let line = Self { _dir: dir, path, open: Arc::default() };
        line.listen();
        line
    }

    fn listen(&self) {
        let listener = UnixListener::bind(&self.path).expect("binds");
        let open = Arc::clone(&self.open);
        std::thread::spawn(move || {
            while let Ok((caller, _)) = listener.accept() {
                let Ok(engine) = UnixStream::connect("/var/run/docker.sock") else { return };
                let both = [&caller, &engine].map(|end| end.try_clone().expect("clones"));
                let mut calls = open.lock().expect("lock");
                if calls.over {
                    return;
                }
                calls.ends.extend(both);
                drop(calls);
                let back = (engine.try_clone().expect("clones"), caller.try_clone().expect("clones"));
                std::thread::spawn(move || pass(caller, engine));
                std::thread::spawn(move || pass(back.0, back.1));
            }
        });
    }

    /// Ends every call.
    fn cut(&self) {
        for end in self.open.lock().expect("lock").ends.drain(..) {
            // It may have ended by itself.
            let _ended = end.shutdown(Shutdown::Both);
        }
    }

    /// Ends every call, and takes no more.
    pub(super) fn cut_for_good(&self) {
        std::fs::remove_file(&self.path).expect("removed");
        self.open.lock().expect("lock").over = true;
        self.cut();
    }

    /// Takes calls again after all.
    pub(super) fn mend(&self) {
        self.open.lock().expect("lock").over = false;
        self.listen();
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream) {
    let mut buffer = [0; 8192];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // It may be closed already.
    let _closed = to.shutdown(Shutdown::Write);
}

async fn by(socket: &Path) -> DockerSandbox {
    DockerSandbox::connect(DockerOptions::new(IMAGE).socket(socket).patience(Duration::from_secs(3)))
        .await
        .expect("connects")
}

#[tokio::test]
async fn contact_that_comes_back_costs_no_output_and_no_exit_status() {
    if lane().await.is_none() {
        return;
    }
    let line = Line::new();
    let tree = tree();
    let lane = by(&line.path).await;
    let mut running = lane.start(spec("cut", &tree)).await.expect("starts");
    let script = "echo before; until [ -e go ]; do sleep 0.05; done; echo between; sleep 3; echo after; exit 4";
    let mut process = running.exec(sh(script, &tree)).await.expect("runs");
    until(&mut process, "before").await;
    line.cut();
    std::fs::write(tree.path.join("go"), "").expect("written");
    let said = listen(process).await;
    assert_eq!(said.out(), "\nbetween\nafter\n".trim_start());
    assert_eq!(said.exit.end, End::Exited { code: 4 });
}

#[tokio::test]
async fn a_command_without_contact_is_lost_and_can_be_taken_over() {
    let Some(direct) = lane().await else { return };
    let line = Line::new();
    let tree = tree();
    let spec = spec("lost", &tree);
    let id = spec.id.clone();
    let lane = by(&line.path).await;
    let mut running = lane.start(spec).await.expect("starts");
    let mut process =
        running.exec(sh("echo up; until [ -e go ]; do sleep 0.05; done; echo all", &tree)).await.expect("runs");
    until(&mut process, "up").await;
    line.cut_for_good();
    let end = process.wait().await.expect("exit").end;
    let End::Lost { why } = end else { panic!("{end:?}") };
    assert!(why.contains("does not answer"), "{why}");
    assert_eq!(containers(&id).await.len(), 1, "what runs is not forgotten");

    std::fs::write(tree.path.join("go"), "").expect("written");
    let mut running = direct.adopt(&id).await.expect("asked").expect("it is there");
    let said = listen(running.resume().await.expect("asked").expect("a command")).await;
    assert_eq!(said.out(), "up\nall\n");
    assert!(said.exit.success());
}
