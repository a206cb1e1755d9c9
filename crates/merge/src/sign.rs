//! Signing the commits that are made.

use std::fmt::Debug;

/// Whoever signs commits: a key, an agent that holds one, a service.
///
/// [`Repository::with_signer`](crate::Repository::with_signer) has every commit signed that a strategy makes and that
/// lands. For ids that are the same each time, the signature must be: Ed25519 keys of SSH sign so, OpenPGP puts the time in.
///
/// ```no_run
/// # use std::{io::Write, process::{Command, Stdio}, error::Error};
/// /// A key of SSH, as `git config gpg.format ssh` uses it.
/// #[derive(Debug)]
/// struct Key(std::path::PathBuf);
///
/// impl hedgerow_merge::Signer for Key {
///     fn sign(&self, commit: &[u8]) -> Result<String, Box<dyn Error + Send + Sync>> {
///         let mut signing = Command::new("ssh-keygen").args(["-Y", "sign", "-n", "git", "-f"]).arg(&self.0)
///             .stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
///         signing.stdin.take().ok_or("no pipe")?.write_all(commit)?;
///         let done = signing.wait_with_output()?;
///         if !done.status.success() {
///             return Err(format!("ssh-keygen ended with {}", done.status).into());
///         }
///         Ok(String::from_utf8(done.stdout)?)
///     }
/// }
/// ```
pub trait Signer: Debug + Send + Sync + 'static {
    /// Signs a commit as git would store it without a signature, and returns the armoured signature.
    ///
    /// It may be called from several threads at once, and for candidates that never land.
    ///
    /// # Errors
    /// Whatever went wrong; nothing is prepared then ([`Error::Unsigned`](crate::Error::Unsigned)).
    fn sign(&self, commit: &[u8]) -> Result<String, Box<dyn std::error::Error + Send + Sync>>;
}
