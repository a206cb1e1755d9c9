//! Images that are missing, fetched, moved and removed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command as Program, Stdio};
use std::sync::Arc;

use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, CreateImageOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use futures_util::StreamExt;
use hedgerow_sandbox::{DockerOptions, DockerSandbox, Error, Pull, Sandbox};

use super::{IMAGE, engine, fresh_id, lane, once, sh, spec, tree};

/// A system of one empty file with this name.
fn archive(name: &str) -> Vec<u8> {
    let dir = tempfile::TempDir::new().expect("directory");
    std::fs::write(dir.path().join(name), "").expect("written");
    let made = Program::new("tar").arg("-C").arg(dir.path()).args(["-cf", "-", name]).output().expect("tar runs");
    assert!(made.status.success());
    made.stdout
}

/// An image without any program, under a name of its own.
pub(super) async fn imported(docker: &Docker, file: &str, name: &str) {
    let (repo, tag) = name.split_once(':').expect("a tag");
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(repo).tag(tag).build();
    let mut steps = docker.create_image(Some(options), Some(bollard::body_full(archive(file).into())), None);
    while let Some(step) = steps.next().await {
        step.expect("imported");
    }
}

pub(super) async fn forget(docker: &Docker, image: &str) {
    let force = RemoveImageOptionsBuilder::default().force(true).build();
    docker.remove_image(image, Some(force), None).await.expect("removed");
}

#[tokio::test]
async fn a_missing_image_is_named_and_not_fetched_unasked() {
    if lane().await.is_none() {
        return;
    }
    let name = "127.0.0.1:1/hedgerow-no-such-image:1";
    let error = DockerSandbox::connect(DockerOptions::new(name)).await.expect_err("missing").to_string();
    assert!(error.contains(name) && error.contains("nothing is pulled"), "{error}");
    let asked = DockerOptions::new(name).pull(Pull::WhenMissing);
    let error = DockerSandbox::connect(asked).await.expect_err("no registry");
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("could not be pulled") && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_image_that_was_removed_meanwhile_is_named_with_its_id_before_anything_runs() {
    if lane().await.is_none() {
        return;
    }
    let docker = engine().await;
    let name = format!("{}:1", fresh_id("removed-image"));
    imported(&docker, "removed", &name).await;
    let lane = DockerSandbox::connect(DockerOptions::new(&name)).await.expect("connects");
    forget(&docker, &name).await;
    let tree = tree();
    let mut running = lane.start(spec("no-image", &tree)).await.expect("starts");
    let error = running.exec(sh("true", &tree)).await.expect_err("no image");
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains(&name) && said.contains(lane.image()) && said.contains("connect again"), "{said}");
}

#[tokio::test]
async fn a_tag_that_moves_later_does_not_change_what_runs() {
    if lane().await.is_none() {
        return;
    }
    let docker = engine().await;
    let repo = fresh_id("moved");
    let name = format!("{repo}:1");
    let tag = TagImageOptionsBuilder::default().repo(repo.as_str()).tag("1").build();
    docker.tag_image(IMAGE, Some(tag)).await.expect("tagged");
    let lane = DockerSandbox::connect(DockerOptions::new(&name)).await.expect("connects");
    imported(&docker, "moved", &name).await;
    let tree = tree();
    // The image that has the name now has no shell.
    let said = once(&lane, spec("moved", &tree), sh("echo here", &tree)).await;
    assert_eq!(said.out(), "here\n");
    let by_id = DockerSandbox::connect(DockerOptions::new(lane.image())).await.expect("an id is a name too");
    assert_eq!(by_id.image(), lane.image());
    forget(&docker, &name).await;
}

#[tokio::test]
async fn a_volume_that_an_image_declares_is_in_memory_and_limited() {
    if lane().await.is_none() {
        return;
    }
    let docker = engine().await;
    let (container, repo) = (fresh_id("volume"), fresh_id("volume-image"));
    let create = CreateContainerOptionsBuilder::default().name(container.as_str()).build();
    let body = ContainerCreateBody { image: Some(IMAGE.into()), ..Default::default() };
    docker.create_container(Some(create), body).await.expect("made");
    let commit = CommitContainerOptionsBuilder::default().container(container.as_str()).repo(repo.as_str()).tag("1");
    docker
        .commit_container(commit.changes("VOLUME /data").build(), bollard::config::ContainerConfig::default())
        .await
        .expect("committed");
    let gone = RemoveContainerOptionsBuilder::default().v(true).build();
    docker.remove_container(container.as_str(), Some(gone)).await.expect("removed");

    let name = format!("{repo}:1");
    let lane = DockerSandbox::connect(DockerOptions::new(&name)).await.expect("connects");
    let tree = tree();
    let mut spec = spec("volume", &tree);
    spec.policy.limits.tmp = 1 << 20;
    let script = "stat -f -c %T /data; head -c 9000000 /dev/zero > /data/big; stat -c %s /data/big";
    let said = once(&lane, spec, sh(script, &tree)).await;
    assert_eq!(said.out(), "tmpfs\n1048576\n", "{}", said.err());
    forget(&docker, &name).await;
}

/// As much of a registry as one pull asks for: the path and what is there.
type Shelf = HashMap<String, (&'static str, Vec<u8>)>;

fn digest(bytes: &[u8]) -> String {
    let mut sum =
        Program::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sha256sum runs");
    sum.stdin.take().expect("piped").write_all(bytes).expect("written");
    let said = sum.wait_with_output().expect("ends").stdout;
    format!("sha256:{}", String::from_utf8_lossy(&said[..64]))
}

fn serve(listener: &TcpListener, shelf: &Arc<Shelf>) {
    while let Ok((caller, _)) = listener.accept() {
        let shelf = Arc::clone(shelf);
        std::thread::spawn(move || while answer(&caller, &shelf).is_some() {});
    }
}

fn answer(mut caller: &TcpStream, shelf: &Shelf) -> Option<()> {
    let mut lines = BufReader::new(caller).lines();
    let first = lines.next()?.ok()?;
    lines.find(|line| line.as_ref().is_ok_and(String::is_empty))?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let (status, (kind, body)) = match shelf.get(path) {
        Some(found) => ("200 OK", found.clone()),
        None => ("404 Not Found", ("application/json", b"{}".to_vec())),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\n\r\n",
        body.len(),
        digest(&body)
    );
    caller.write_all(head.as_bytes()).ok()?;
    if method == "HEAD" { Some(()) } else { caller.write_all(&body).ok() }
}

#[tokio::test]
async fn an_image_that_is_asked_for_is_fetched_and_pinned_by_its_digest() {
    if lane().await.is_none() {
        return;
    }
    let layer = archive(fresh_id("pulled").as_str());
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        digest(&layer)
    );
    let about = |kind: &str, bytes: &[u8]| {
        format!(r#"{{"mediaType":"application/vnd.{kind}","size":{},"digest":"{}"}}"#, bytes.len(), digest(bytes))
    };
    const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
        about("docker.container.image.v1+json", config.as_bytes()),
        about("docker.image.rootfs.diff.tar", &layer)
    );
    let (manifest_id, config_id) = (digest(manifest.as_bytes()), digest(config.as_bytes()));
    let blob =
        |bytes: &[u8]| (format!("/v2/pulled/blobs/{}", digest(bytes)), ("application/octet-stream", bytes.to_vec()));
    let shelf: Shelf = [
        ("/v2/".to_owned(), ("application/json", b"{}".to_vec())),
        ("/v2/pulled/manifests/1".to_owned(), (MANIFEST, manifest.clone().into_bytes())),
        (format!("/v2/pulled/manifests/{manifest_id}"), (MANIFEST, manifest.into_bytes())),
        blob(config.as_bytes()),
        blob(&layer),
    ]
    .into();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let port = listener.local_addr().expect("address").port();
    let shelf = Arc::new(shelf);
    std::thread::spawn(move || serve(&listener, &shelf));

    let docker = engine().await;
    for name in [format!("127.0.0.1:{port}/pulled:1"), format!("127.0.0.1:{port}/pulled@{manifest_id}")] {
        DockerSandbox::connect(DockerOptions::new(&name)).await.expect_err("nothing is pulled unasked");
        let asked = DockerOptions::new(&name).pull(Pull::WhenMissing);
        let lane = DockerSandbox::connect(asked).await.expect("pulled");
        assert_eq!(lane.image(), config_id);
        forget(&docker, &name).await;
    }
}
