//! Secrets in containers: nothing that the engine knows or keeps shows them.

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use hedgerow_sandbox::{Access, End, Error, Mount, Redact, Sandbox, Secret};

use super::{containers, engine, lane, listen, once, refused, sh, spec, tree, until};

fn value(what: &str) -> String {
    format!("s3cret-{what}-{}-'\"$(id)\\n%s", std::process::id())
}

fn both(what: &str) -> (String, String, [Secret; 2]) {
    let (key, token) = (value(&format!("{what}-key")), value(&format!("{what}-token")) + "\n\n");
    let secrets = [
        Secret::variable("KEY", key.as_str()).expect("a value"),
        Secret::file("token", token.as_str()).expect("a value").path_in("TOKEN_FILE").expect("a name"),
    ];
    (key, token, secrets)
}

#[tokio::test]
async fn a_command_gets_its_secrets_and_the_next_one_finds_no_trace_of_them() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let (key, token, secrets) = both("arrive");
    let mut command = sh(
        "stat -c '%a %U' \"$TOKEN_FILE\"; stat -f -c %T \"$TOKEN_FILE\"; printf '%s|' \"$KEY\"; cat \"$TOKEN_FILE\"; echo =; cat; umask",
        &tree,
    )
    .stdin("own input\n");
    command.secrets = secrets.to_vec();
    command.redact = Redact::Nothing;
    let spec = spec("secrets", &tree);
    let mut running = lane.start(spec).await.expect("the policy is kept");
    let said = listen(running.exec(command).await.expect("it starts")).await;
    let user = said.out().lines().next().unwrap_or_default().replace("400 ", "");
    let umask = said.out().lines().last().unwrap_or_default().to_owned();
    assert_eq!(said.out(), format!("400 {user}\ntmpfs\n{key}|{token}=\nown input\n{umask}\n"), "{said:?}");
    assert!(umask.ends_with("022"), "{umask}");

    let look = "env; cat /proc/*/environ; ls -a /run/secrets /run/secrets/*; cat /proc/*/cmdline; grep -rs s3cret /tmp /run /dev/shm; true";
    let said = listen(running.exec(sh(look, &tree)).await.expect("it starts")).await;
    let text = format!("{said:?}");
    assert!(!text.contains("s3cret-arrive") && !text.contains("TOKEN_FILE"), "{text}");
}

#[tokio::test]
async fn the_engine_can_be_asked_for_everything_and_does_not_know_a_secret() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let (_, _, secrets) = both("inspect");
    let mut command = sh("test -s \"$TOKEN_FILE\" && echo ready; sleep 60", &tree);
    command.secrets = secrets.to_vec();
    let spec = spec("secrets", &tree);
    let id = spec.id.clone();
    let mut running = lane.start(spec).await.expect("the policy is kept");
    let mut process = running.exec(command).await.expect("it starts");
    until(&mut process, "ready").await;
    let docker = engine().await;
    let container = containers(&id).await.remove(0);
    let known = docker.inspect_container(&container, None).await.expect("inspected");
    let top = docker.top_processes(&container, None).await.expect("processes");
    let changes = docker.container_changes(&container).await.expect("changes");
    let known = format!("{known:?} {top:?} {changes:?}");
    assert!(known.contains("sleep 60") && !known.contains("s3cret-inspect"), "{known}");
    let mut log = docker.logs(&container, Some(LogsOptionsBuilder::default().stdout(true).stderr(true).build()));
    while let Some(Ok(line)) = log.next().await {
        assert!(!line.to_string().contains("s3cret-inspect"), "{line}");
    }
    // Nor does a process of the host show it in its command line.
    for process in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains("s3cret-inspect"), "{:?}", process.path());
    }
    process.stopper().kill();
    let _killed = listen(process).await;
}

#[tokio::test]
async fn a_value_is_taken_out_of_the_output() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let (key, _, secrets) = both("output");
    let mut command = sh(
        "printf '%s' \"$KEY\" | head -c 9; sleep 0.3; printf '%s\\n' \"$KEY\" | tail -c +10; cat \"$TOKEN_FILE\" >&2",
        &tree,
    );
    command.secrets = secrets.to_vec();
    let said = once(&lane, spec("secrets", &tree), command).await;
    assert_eq!((said.out(), said.err()), ("[secret KEY]\n".to_owned(), "[secret token]\n\n".to_owned()), "{key}");
}

#[tokio::test]
async fn a_program_that_is_missing_is_an_error_beside_secrets_too() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut running = lane.start(spec("secrets", &tree)).await.expect("the policy is kept");
    for program in ["no-such-program", "/no/such/program"] {
        let (_, _, secrets) = both("missing");
        let mut command = sh("true", &tree);
        command.program = program.into();
        command.secrets = secrets.to_vec();
        let error = refused(&mut running, command).await;
        assert!(matches!(error, Error::Program { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
    // What it is started with, and how it ends, is the program's own matter.
    let (_, _, secrets) = both("status");
    let mut command = sh("exit 125", &tree);
    command.secrets = secrets.to_vec();
    let said = listen(running.exec(command).await.expect("it starts")).await;
    assert_eq!(said.exit.end, End::Exited { code: 125 });
}

#[tokio::test]
async fn a_secret_is_not_written_into_a_directory_of_the_host_that_is_mounted_over_its_place() {
    let Some(lane) = lane().await else { return };
    let (tree, other) = (tree(), tree());
    let mut spec = spec("secrets", &tree);
    spec.mounts.push(Mount { source: other.path.clone(), target: "/run".into(), access: Access::ReadWrite });
    let mut running = lane.start(spec).await.expect("the policy is kept");
    let command = sh("true", &tree).secret(Secret::file("token", value("mount")).expect("a value"));
    let error = running.exec(command).await.expect_err("refused");
    assert!(matches!(error, Error::InvalidSpec { .. }), "{error}");
    assert_eq!(std::fs::read_dir(&other.path).expect("a directory").count(), 0);
}
