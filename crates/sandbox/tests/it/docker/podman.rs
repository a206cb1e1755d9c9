//! Podman speaks Docker's API, and means something else by some of it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hedgerow_sandbox::{DockerOptions, DockerSandbox, Error};

use super::IMAGE;

/// A service of Podman's own, with nothing in it.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

#[tokio::test]
async fn podman_is_named_and_refused_before_a_container_runs_without_its_filter() {
    let place = tempfile::tempdir().expect("directory");
    let socket = place.path().join("podman.sock");
    let mut service = Command::new("podman");
    service.arg("--root").arg(place.path().join("root")).arg("--runroot").arg(place.path().join("run"));
    service.args(["--cgroup-manager=cgroupfs", "--storage-driver=vfs", "system", "service", "--time=60"]);
    service.arg(format!("unix://{}", socket.display())).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(service) = service.spawn() else {
        return crate::world::skipped("podman is not installed");
    };
    let mut service = Service(service);
    for _ in 0..400 {
        if socket.exists() {
            break;
        }
        if let Ok(Some(status)) = service.0.try_wait() {
            return crate::world::skipped(&format!("podman does not serve here ({status})"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let error = DockerSandbox::connect(DockerOptions::new(IMAGE).socket(&socket)).await.expect_err("not Docker");
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("Podman") && said.contains("native lane"), "{said}");
}
