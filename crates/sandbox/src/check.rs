//! What every lane checks before it starts anything.

#[cfg(any(target_os = "linux", feature = "docker", feature = "fake"))]
use std::path::{Component, Path};

#[cfg(any(target_os = "linux", feature = "docker", feature = "fake"))]
use crate::{Command, Spec};
use crate::{Coverage, Error, Guarantee, Network, Policy, Result, Sandbox, Shortfall};

/// Refuses a policy that `sandbox` cannot keep, or that contradicts itself, with everything that is missing.
pub(crate) fn policy(lane: &'static str, sandbox: &dyn Sandbox, policy: &Policy) -> Result<()> {
    let mut shortfalls = policy.shortfalls(sandbox);
    for guarantee in [Guarantee::NoNetwork, Guarantee::Egress] {
        let named = shortfalls.iter().any(|s| s.guarantee == guarantee);
        if policy.network == Network::Host && policy.required.contains_key(&guarantee) && !named {
            let why = "the same policy asks for the host's network; choose Network::None or drop the requirement";
            shortfalls.push(Shortfall { guarantee, why: why.into() });
        }
    }
    if let Network::Only(list) = &policy.network
        && !list.is_empty()
    {
        shortfalls.extend(listed(sandbox, policy, &shortfalls));
    }
    if shortfalls.is_empty() { Ok(()) } else { Err(Error::Refused { lane, shortfalls }) }
}

/// What a list of endpoints lacks. The list itself is the requirement, also where the policy does not name it.
fn listed(sandbox: &dyn Sandbox, policy: &Policy, known: &[Shortfall]) -> Option<Shortfall> {
    let missing = |guarantee, why: String| {
        let named = known.iter().any(|s| s.guarantee == guarantee);
        (!named).then_some(Shortfall { guarantee, why })
    };
    if policy.required.contains_key(&Guarantee::NoNetwork) {
        let why = "the same policy lists where connections may go; require Guarantee::Egress in its place";
        return missing(Guarantee::NoNetwork, why.into());
    }
    match sandbox.coverage(Guarantee::Egress) {
        Coverage::Enforced => None,
        Coverage::Partial(why) => missing(Guarantee::Egress, format!("only in part: {why}")),
        Coverage::Unenforced(why) => missing(Guarantee::Egress, why),
    }
}

#[cfg(any(target_os = "linux", feature = "docker", feature = "fake"))]
/// Refuses mounts and a home that cannot be meant so. Touches the file system.
pub(crate) fn mounts(spec: &Spec) -> Result<()> {
    for mount in &spec.mounts {
        existing(&mount.source, "mount source")?;
        path(&mount.target, "mount target")?;
        if mount.target == Path::new("/") {
            return Err(invalid("mount target", &mount.target, "nothing can be mounted over the root directory"));
        }
    }
    let Some(home) = &spec.home else { return Ok(()) };
    existing(home, "home")?;
    if home.is_dir() { Ok(()) } else { Err(invalid("home", home, "it is not a directory")) }
}

#[cfg(any(target_os = "linux", feature = "docker", feature = "fake"))]
/// Refuses a command that no kernel could run.
pub(crate) fn command(command: &Command) -> Result<()> {
    path(&command.workdir, "working directory")?;
    let argument = |what: &str, problem: &str| {
        let (what, problem) = (what.to_owned(), problem.to_owned());
        Err(Error::InvalidSpec { what, problem })
    };
    if command.program.is_empty() {
        return argument("the program", "its name is empty");
    }
    if command.program.as_encoded_bytes().contains(&0) || command.args.iter().any(|a| a.as_encoded_bytes().contains(&0))
    {
        return argument("the command line", "it contains a NUL byte");
    }
    for (key, value) in &command.env {
        let name = key.as_encoded_bytes();
        if name.is_empty() || name.contains(&b'=') || name.contains(&0) || value.as_encoded_bytes().contains(&0) {
            let what = format!("the variable {key:?}");
            return argument(&what, "its name is empty or has a '=', or it contains a NUL byte");
        }
    }
    crate::secret::check(command)
}

#[cfg(any(target_os = "linux", feature = "docker", feature = "fake"))]
fn existing(source: &Path, what: &str) -> Result<()> {
    path(source, what)?;
    let meta = source.symlink_metadata().map_err(|e| invalid(what, source, &e.to_string()))?;
    if meta.is_symlink() {
        return Err(invalid(what, source, "it is a symbolic link; name what it points to"));
    }
    Ok(())
}

#[cfg(any(target_os = "linux", feature = "docker", feature = "fake"))]
pub(crate) fn path(path: &Path, what: &str) -> Result<()> {
    if !path.is_absolute() {
        return Err(invalid(what, path, "the path must be absolute"));
    }
    if path.components().any(|c| c == Component::ParentDir) {
        return Err(invalid(what, path, "the path must not contain '..'"));
    }
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(invalid(what, path, "the path contains a NUL byte"));
    }
    Ok(())
}

#[cfg(any(target_os = "linux", feature = "docker", feature = "fake"))]
fn invalid(what: &str, path: &Path, problem: &str) -> Error {
    Error::InvalidSpec { what: format!("{what} {}", path.display()), problem: problem.into() }
}
