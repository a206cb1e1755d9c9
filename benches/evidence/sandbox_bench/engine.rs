//! `docker run` with the flags of a container of the docker lane: read from one, not written down here.

use std::process::Command;

use serde_json::Value;

use crate::Failure;

/// The flags that give another container the settings of the container of this sandbox.
pub(super) fn flags(sandbox: &str, profile: &std::path::Path) -> Result<Vec<String>, Failure> {
    let ids = said(&["ps", "--quiet", "--filter", &format!("label=hedgerow.sandbox={sandbox}")])?;
    let id = ids.lines().next().ok_or("the container of the docker lane is not there")?;
    let facts: Value = serde_json::from_str(&said(&["inspect", id])?)?;
    let (host, config) = (&facts[0]["HostConfig"], &facts[0]["Config"]);
    let mut flags: Vec<String> = vec!["--rm".into(), "--init".into(), "--no-healthcheck".into()];
    if host["ReadonlyRootfs"] == true {
        flags.push("--read-only".into());
    }
    for (flag, value) in [
        ("network", &host["NetworkMode"]),
        ("ipc", &host["IpcMode"]),
        ("cgroupns", &host["CgroupnsMode"]),
        ("user", &config["User"]),
        ("hostname", &config["Hostname"]),
        ("workdir", &config["WorkingDir"]),
        ("log-driver", &host["LogConfig"]["Type"]),
    ] {
        flags.push(format!("--{flag}={}", value.as_str().ok_or("a setting is not text")?));
    }
    for (flag, value) in
        [("memory", &host["Memory"]), ("memory-swap", &host["MemorySwap"]), ("pids-limit", &host["PidsLimit"])]
    {
        flags.extend(value.as_i64().filter(|value| *value > 0).map(|value| format!("--{flag}={value}")));
    }
    for dropped in texts(&host["CapDrop"]) {
        flags.push(format!("--cap-drop={dropped}"));
    }
    for option in texts(&host["SecurityOpt"]) {
        flags.push(match option.strip_prefix("seccomp=") {
            Some(content) => {
                std::fs::write(profile, content)?;
                format!("--security-opt=seccomp={}", profile.display())
            }
            None => format!("--security-opt={option}"),
        });
    }
    for limit in host["Ulimits"].as_array().into_iter().flatten() {
        flags.push(format!("--ulimit={}={}:{}", text(&limit["Name"]), limit["Soft"], limit["Hard"]));
    }
    let pairs = |value: &Value| -> Vec<(String, String)> {
        value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
    };
    flags
        .extend(pairs(&host["LogConfig"]["Config"]).into_iter().map(|(key, value)| format!("--log-opt={key}={value}")));
    flags.extend(pairs(&host["Tmpfs"]).into_iter().map(|(place, options)| format!("--tmpfs={place}:{options}")));
    flags.extend(texts(&config["Env"]).into_iter().map(|pair| format!("--env={pair}")));
    Ok(flags)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn said(args: &[&str]) -> Result<String, Failure> {
    let output = Command::new("docker").args(args).output()?;
    if !output.status.success() {
        return Err(format!("docker {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
