//! Signed commits, as git reads and verifies them.

use std::error::Error as StdError;
use std::io::Write;
use std::process::{Command, Stdio};

use hedgerow_merge::{Error, MergeCommit, MergeStrategy, Octopus, Ours, Promote, Rebase, Repository, Signer, Squash};

use crate::scene::{Scene, candidate};

/// Signs with the hash of what is to be signed, in the shape that git takes for OpenPGP's.
#[derive(Debug)]
struct Hash;

impl Signer for Hash {
    fn sign(&self, commit: &[u8]) -> Result<String, Box<dyn StdError + Send + Sync>> {
        let mut hashing = Command::new("git");
        hashing.args(["hash-object", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut hashing = hashing.spawn()?;
        hashing.stdin.take().ok_or("no pipe")?.write_all(commit)?;
        let hash = String::from_utf8(hashing.wait_with_output()?.stdout)?;
        Ok(format!("-----BEGIN PGP SIGNATURE-----\n\n{hash}-----END PGP SIGNATURE-----\n"))
    }
}

/// What git calls to verify a signature: the file is among the arguments, what was signed comes in.
const VERIFIER: &str = r#"#!/bin/sh
for argument; do case $argument in /*) signature=$argument;; esac; done
[ "$(sed -n 3p "$signature")" = "$(git hash-object --stdin)" ] || exit 1
printf '\n[GNUPG:] GOODSIG 0123456789ABCDEF Queue\n[GNUPG:] TRUST_ULTIMATE 0 pgp\n'
"#;

/// Says the same, whatever it is asked.
#[derive(Debug)]
struct Says(Option<&'static str>);

impl Signer for Says {
    fn sign(&self, _: &[u8]) -> Result<String, Box<dyn StdError + Send + Sync>> {
        self.0.map(str::to_owned).ok_or_else(|| "the key is locked".into())
    }
}

#[test]
fn every_commit_that_lands_is_signed_as_git_verifies_it() {
    let scene = Scene::simple();
    scene.git(&["checkout", "-q", "-b", "other", "main"]);
    scene.commit("other", "echo other >other");
    scene.commit("more", "echo more >more");
    let verifier = scene.beside("verifier");
    // Written by another process: what this one writes may be open in a child of another test when it is run.
    scene.sh(&format!("cat >'{0}' <<'END'\n{VERIFIER}END\nchmod +x '{0}'", verifier.display()));
    let setting = format!("gpg.program={}", verifier.display());
    let repository = scene.open().with_signer(Hash);
    let octopus = Octopus { with: vec![scene.id("other")] };
    let strategies: [(&dyn MergeStrategy, &str, &str); 6] = [
        (&MergeCommit, "change", "other"),
        (&Squash, "change", "other"),
        (&Rebase::default(), "change", "other"),
        (&Ours, "change", "other"),
        (&Promote, "change", "other"),
        (&octopus, "main", "change"),
    ];
    for (strategy, target, change) in strategies {
        let prepare = |repository: &Repository| {
            candidate(strategy.prepare(repository, &scene.target(target), &scene.change(change)).unwrap())
        };
        let made = prepare(&repository);
        let range = format!("{}..{}", made.target.expected, made.commit);
        let new = scene.git(&["rev-list", &range, "--not", "main", "change", "other", "--"]);
        assert!(!new.is_empty());
        for commit in new.lines() {
            scene.git(&["-c", &setting, "verify-commit", commit]);
            assert!(!scene.git_ok(&["-c", "gpg.program=false", "verify-commit", commit]), "the verifier decides");
            let text = scene.git(&["cat-file", "commit", commit]);
            assert!(text.contains("gpgsig -----BEGIN PGP SIGNATURE-----\n "), "{text}");
        }
        assert_eq!(prepare(&repository), made, "the same input gives the same id");
        assert_ne!(prepare(&scene.open()).commit, made.commit);
        scene.fsck();
    }
}

#[test]
fn a_signer_that_fails_makes_nothing() {
    let scene = Scene::simple();
    let before = scene.git(&["count-objects", "-v"]);
    for said in [None, Some(""), Some(" \n"), Some("a\0b")] {
        let repository = scene.open().with_signer(Says(said));
        let error = MergeCommit.prepare(&repository, &scene.target("main"), &scene.change("change")).unwrap_err();
        assert!(matches!(error, Error::Unsigned { .. }), "{error}");
    }
    assert_eq!(scene.git(&["count-objects", "-v"]), before);
}

#[test]
fn a_signature_cannot_add_headers_or_a_message() {
    let scene = Scene::simple();
    let repository = scene.open().with_signer(Says(Some("sig\nparent 1111\n\nSubject: forged\n")));
    let made = candidate(MergeCommit.prepare(&repository, &scene.target("main"), &scene.change("change")).unwrap());
    let shown = scene.git(&["show", "-s", "--format=%P%n%s", made.commit.as_str()]);
    assert_eq!(shown, format!("{} {}\nBring in a change", scene.id("main"), scene.id("change")));
}
