//! What a sandbox and a command mean as a container; pure.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    Mount as EngineMount, MountBindOptions, MountBindOptionsPropagationEnum, MountType, ResourcesUlimits,
};

use crate::{Access, Command, Error, Limits, Mount, Network, Result, Spec};

use super::options::Scratch;
use super::probe::Facts;
use super::record::Given;
use super::{entry, outlet};
use super::{pins, seccomp};

/// `HOME` inside.
pub(super) const HOME: &str = "/home/agent";
/// The directory for temporary files inside.
pub(super) const TMP: &str = "/tmp";
/// Room for the files of secrets, in bytes.
const SECRETS_SIZE: u64 = 8 << 20;
const HOSTNAME: &str = "sandbox";
/// Enough for builds, and no more than engines without special rights have to give.
const OPEN_FILES: i64 = 16_384;
/// How much larger a container's log may grow than the output that is captured: each line in it costs some bytes more. It is
/// kept twice, as the file that is written and the one before.
const LOG_FACTOR: u64 = 4;
const LOG_LEAST: u64 = 1 << 20;
const LOG_MOST: u64 = 1 << 30;
/// Of what the kernel counts for a user on the whole machine, a container gets a part: signals that wait, and bytes of message
/// queues. Otherwise it could take all of it from the programs of the same user outside.
const WAITING_SIGNALS: i64 = 4096;
const QUEUE_BYTES: i64 = 256 << 10;

/// The container for one command.
pub(super) fn container(
    spec: &Spec,
    command: &Command,
    facts: &Facts,
    (uid, gid): (u32, u32),
    labels: HashMap<String, String>,
) -> Result<ContainerCreateBody> {
    let piped = Given::to(spec, command) == Given::Input;
    let mut entry = vec![text("the program", &command.program)?];
    let mut args = command.args.iter().map(|arg| text("an argument", arg)).collect::<Result<Vec<_>>>()?;
    if entry::is_needed(spec, command) {
        let (shell, program) = entry::line(entry.concat());
        entry = shell;
        args.splice(0..0, program);
    }
    Ok(ContainerCreateBody {
        image: Some(facts.image.id.clone()),
        entrypoint: Some(entry),
        cmd: Some(args),
        env: Some(environment(spec, command, facts)?),
        working_dir: Some(path("the working directory", &command.workdir)?),
        user: Some(format!("{uid}:{gid}")),
        hostname: Some(HOSTNAME.into()),
        labels: Some(labels),
        // What the image says about health would run beside the command.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..HealthConfig::default() }),
        tty: Some(false),
        open_stdin: Some(piped),
        stdin_once: Some(piped),
        attach_stdin: Some(piped),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        host_config: Some(host(spec, command, facts, (uid, gid))?),
        ..ContainerCreateBody::default()
    })
}

fn host(spec: &Spec, command: &Command, facts: &Facts, (uid, gid): (u32, u32)) -> Result<HostConfig> {
    let limits = &spec.policy.limits;
    let memory = limits.memory.map(signed);
    let network = match &spec.policy.network {
        Network::None | Network::Only(_) => "none",
        Network::Host => "host",
    };
    // Nobody is asked in there, and the host's own settings tell about its network.
    let (dns, search) = match &spec.policy.network {
        Network::None | Network::Only(_) => (Some(vec!["127.0.0.1".to_owned()]), Some(vec![".".to_owned()])),
        Network::Host => (None, None),
    };
    let mut security = vec!["no-new-privileges".to_owned()];
    if facts.coverage.seccomp {
        security.push(format!("seccomp={}", seccomp::profile()));
    }
    Ok(HostConfig {
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(security),
        privileged: Some(false),
        network_mode: Some(network.into()),
        dns,
        dns_search: search,
        ipc_mode: Some("private".into()),
        // Otherwise the names of control groups tell about the host and its other containers.
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        runtime: facts.runtime.clone(),
        // The ids outside are those that the mounted files belong to.
        userns_mode: facts.remapped.then(|| "host".into()),
        init: Some(true),
        memory,
        // The sum of memory and swap: the same number means no swap.
        memory_swap: memory,
        // An engine refuses more than it has.
        nano_cpus: limits.cpu_millis.map(|m| signed(u64::from(m).min(facts.cores * 1000) * 1_000_000)),
        pids_limit: limits.pids.map(i64::from),
        ulimits: Some(ulimits(limits)),
        mounts: Some(mounts(spec, facts)?),
        tmpfs: Some(tmpfs(spec, command, facts, (uid, gid))),
        log_config: Some(log(limits)),
        auto_remove: Some(false),
        ..HostConfig::default()
    })
}

fn environment(spec: &Spec, command: &Command, facts: &Facts) -> Result<Vec<String>> {
    let mut variables = BTreeMap::from([
        ("PATH".to_owned(), facts.path().to_owned()),
        ("HOME".to_owned(), HOME.to_owned()),
        ("TMPDIR".to_owned(), TMP.to_owned()),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        // The init passes a signal on to the command's whole process group.
        ("TINI_KILL_PROCESS_GROUP".to_owned(), "1".to_owned()),
    ]);
    if matches!(&spec.policy.network, Network::Only(list) if !list.is_empty()) {
        variables.extend(outlet::VARIABLES.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    for (key, value) in &command.env {
        let key = text("the name of a variable", key)?;
        let value = text("the value of a variable", value)?;
        variables.insert(key, value);
    }
    // A name without a value takes away what the image or the engine would set.
    let unset = facts.image.variables.iter().map(|(key, _)| key.as_str()).chain(["HOSTNAME"]);
    let unset: Vec<_> = unset.filter(|key| !variables.contains_key(*key)).map(str::to_owned).collect();
    Ok(variables.into_iter().map(|(key, value)| format!("{key}={value}")).chain(unset).collect())
}

fn mounts(spec: &Spec, facts: &Facts) -> Result<Vec<EngineMount>> {
    let home =
        spec.home.as_ref().map(|home| Mount { source: home.clone(), target: HOME.into(), access: Access::ReadWrite });
    let bind = |mount: &Mount| {
        let read_only = mount.access == Access::ReadOnly;
        Ok(EngineMount {
            typ: Some(MountType::BIND),
            source: Some(path("the source of a mount", &mount.source)?),
            target: Some(path("the target of a mount", &mount.target)?),
            read_only: Some(read_only),
            bind_options: Some(MountBindOptions {
                propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
                // What is mounted below a read-only source would stay writable on older engines, so it is left out there.
                non_recursive: (read_only && !facts.recursive_read_only).then_some(true),
                read_only_force_recursive: (read_only && facts.recursive_read_only).then_some(true),
                ..MountBindOptions::default()
            }),
            ..EngineMount::default()
        })
    };
    home.iter().chain(&spec.mounts).map(bind).collect()
}

fn tmpfs(spec: &Spec, command: &Command, facts: &Facts, (uid, gid): (u32, u32)) -> HashMap<String, String> {
    // Zero would be no limit at all.
    let size = spec.policy.limits.tmp.max(1);
    let run = match facts.scratch {
        Scratch::Data => "noexec",
        Scratch::Programs => "exec",
    };
    let taken = |target: &str| spec.mounts.iter().any(|mount| mount.target == Path::new(target));
    let shared = format!("rw,{run},nosuid,nodev,size={size},mode=1777");
    let mut tmpfs = HashMap::new();
    for target in facts.image.volumes.iter().map(String::as_str).chain([TMP]) {
        if target != HOME && !taken(target) {
            tmpfs.insert(target.to_owned(), shared.clone());
        }
    }
    if spec.home.is_none() && !taken(HOME) {
        tmpfs.insert(HOME.to_owned(), format!("rw,{run},nosuid,nodev,size={size},mode=0700,uid={uid},gid={gid}"));
    }
    tmpfs.extend(pins::in_memory(spec, &facts.image.volumes));
    if command.secrets.iter().any(|secret| secret.as_file().is_some()) {
        tmpfs.insert(entry::SECRETS.to_owned(), secrets_in_memory((uid, gid)));
    }
    tmpfs
}

/// The options of the directory for the files of secrets.
pub(super) fn secrets_in_memory((uid, gid): (u32, u32)) -> String {
    format!("rw,noexec,nosuid,nodev,size={SECRETS_SIZE},mode=0700,uid={uid},gid={gid}")
}

/// The log is what another process reads the output from after ours died. Its format keeps bytes as they are.
fn log(limits: &Limits) -> HostConfigLogConfig {
    let size = limits.output.saturating_mul(LOG_FACTOR).clamp(LOG_LEAST, LOG_MOST);
    let config =
        [("max-size", signed(size).to_string()), ("max-file", "2".to_owned()), ("compress", "false".to_owned())];
    let config = config.map(|(key, value)| (key.to_owned(), value)).into();
    HostConfigLogConfig { typ: Some("local".into()), config: Some(config) }
}

fn ulimits(limits: &Limits) -> Vec<ResourcesUlimits> {
    let largest = limits.disk.map(|disk| ulimit("fsize", signed(disk)));
    let fixed = [
        ulimit("core", 0),
        ulimit("nofile", OPEN_FILES),
        ulimit("sigpending", WAITING_SIGNALS),
        ulimit("msgqueue", QUEUE_BYTES),
    ];
    fixed.into_iter().chain(largest).collect()
}

fn ulimit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.into()), soft: Some(value), hard: Some(value) }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn path(what: &str, path: &Path) -> Result<String> {
    text(what, path.as_os_str())
}

/// The engine's protocol is JSON, which holds text only.
fn text(what: &str, value: &OsStr) -> Result<String> {
    match value.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => {
            let problem = "the docker lane can pass on UTF-8 only".into();
            Err(Error::InvalidSpec { what: format!("{what} {value:?}"), problem })
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
