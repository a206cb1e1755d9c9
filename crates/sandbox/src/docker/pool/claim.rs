//! Giving a container that waits to a command.

use std::sync::atomic::Ordering;

use zeroize::Zeroizing;

use crate::{Command, Error, Result, Spec, Start};

use super::super::LANE;
use super::super::ended::Contact;
use super::super::engine::Engine;
use super::super::input::Names;
use super::super::launch::{Begun, discarded, no_workdir};
use super::super::marks;
use super::super::outlet::Outlets;
use super::lines::{GO, NO_PROGRAM, NO_WORKDIR, WARM, lines};
use super::plan::{Tree, trees};
use super::ready::{ANSWER_WITHIN, Ready, WORDS};
use super::shape::Shape;
use super::tale::Tale;
use super::{Kind, Pool, Trees};

/// A command that wants a container.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Ask<'a> {
    pub(in super::super) spec: &'a Spec,
    pub(in super::super) command: &'a Command,
    pub(in super::super) user: (u32, u32),
    pub(in super::super) number: u64,
    pub(in super::super) outlets: Option<&'a Outlets>,
}

/// What became of one container that was offered.
enum Offer {
    Taken(Begun),
    /// It was of no use; the next one may be.
    Spoilt(String),
    /// None of them is of use for this command.
    Unfit(String),
}

impl Pool {
    /// A container in which everything but the program's start is done, or why there is none. The program starts with the last
    /// line of the input that comes with it; until then nothing of the command has run.
    ///
    /// An error is one of the command itself, which any container would have.
    pub(in super::super) async fn claim(&self, ask: Ask<'_>) -> Result<std::result::Result<Begun, String>> {
        let mut unlike = "it was asked to keep none ready";
        let mut why = None;
        for kind in &self.kinds {
            let wanted = Shape::new(ask.spec, &self.lane.facts, ask.user, kind.trees)?;
            if kind.shape != wanted {
                unlike = kind.shape.difference(&wanted);
                continue;
            }
            match self.claim_of(kind, ask).await? {
                Ok(begun) => return Ok(Ok(begun)),
                Err(problem) => why = Some(problem),
            }
        }
        Ok(Err(why.unwrap_or_else(|| format!("no container is kept ready for a sandbox that differs in {unlike}"))))
    }

    async fn claim_of(&self, kind: &Kind, ask: Ask<'_>) -> Result<std::result::Result<Begun, String>> {
        let tale = match Tale::new(ask.spec, ask.command, ask.number) {
            Ok(tale) => tale,
            Err(why) => return Ok(Err(why)),
        };
        let told = match lines(ask.command, &tale.line) {
            Ok(told) => told,
            Err(why) => return Ok(Err(why)),
        };
        if ask.spec.labels.len() > marks::MOST {
            return Ok(Err("its sandbox has more labels than the name of a container can tell of".into()));
        }
        let trees = match kind.trees {
            Trees::Fixed => Ok(Vec::new()),
            Trees::Added => {
                let facts = &self.lane.facts;
                trees(ask.spec, facts.recursive_read_only, &facts.image.volumes)
            }
        };
        let trees = match trees {
            Ok(trees) => trees,
            Err(why) => return Ok(Err(why)),
        };
        let mut spoilt = None;
        loop {
            let taken = kind.take();
            self.wanted.notify_one();
            let Some(ready) = taken else { return Ok(Err(spoilt.unwrap_or_else(|| kind.why_empty()))) };
            match self.offer(ready, ask, &tale, &told, &trees).await? {
                Offer::Taken(begun) => {
                    kind.claimed.fetch_add(1, Ordering::Relaxed);
                    return Ok(Ok(begun));
                }
                Offer::Unfit(why) => return Ok(Err(why)),
                Offer::Spoilt(why) => spoilt = Some(why),
            }
        }
    }

    /// Whatever it comes to but a claim, the container is removed: it may have been changed already.
    async fn offer(&self, mut ready: Ready, ask: Ask<'_>, tale: &Tale, told: &[u8], trees: &[Tree]) -> Result<Offer> {
        let names = tale.names(&ask.spec.id, ask.number, &ask.spec.labels);
        let offer = match discarded(&ask.spec.policy, &self.lane.facts, &ready.warnings) {
            Ok(()) => self.prepare(&mut ready, ask, tale, &names, told, trees).await,
            Err(error) => Err(error),
        };
        match offer {
            Ok(None) => {}
            Ok(Some(offer)) => {
                let _later = ready.discard(&self.lane).await;
                return Ok(offer);
            }
            Err(error) => {
                let _later = ready.discard(&self.lane).await;
                return Err(error);
            }
        }
        let outlet = match ask.outlets {
            None => None,
            Some(outlets) => match outlets.open(&self.lane.engine, &ready.container).await {
                Ok(Some(outlet)) => Some(outlet),
                Ok(None) => {
                    let _later = ready.discard(&self.lane).await;
                    return Ok(Offer::Spoilt("a container that was ready ended when it was claimed".into()));
                }
                Err(error) => {
                    let _later = ready.discard(&self.lane).await;
                    return Err(error);
                }
            },
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(GO.len() + ask.command.stdin.len()));
        bytes.extend_from_slice(GO);
        bytes.extend_from_slice(&ask.command.stdin);
        let Ready { container, output, pipe, .. } = ready;
        Ok(Offer::Taken(Begun {
            container,
            names,
            output,
            said: (WARM.len() + tale.line.len()) as u64,
            pipe: Some(pipe),
            bytes,
            contact: Contact::Kept,
            outlet,
            start: Start::Warm,
        }))
    }

    /// Brings a container to where only the last line is missing; none when it is there.
    async fn prepare(
        &self,
        ready: &mut Ready,
        ask: Ask<'_>,
        tale: &Tale,
        names: &Names,
        told: &[u8],
        trees: &[Tree],
    ) -> Result<Option<Offer>> {
        // From here on it is found as the sandbox's, and as one that may not be taken over yet. It may be so also when the answer is
        // lost.
        ready.names.push(names.pending.clone());
        let plain = Names::new(&ask.spec.id, ask.number);
        if let Err(why) = rename(&self.lane.engine, &ready.container, names, &plain).await {
            return Ok(Some(Offer::Spoilt(why)));
        }
        if let Some(door) = ready.door.take()
            && !trees.is_empty()
            && let Err(error) = door.attach(trees.to_vec()).await
        {
            return Ok(Some(Offer::Unfit(format!(
                "a mount could not be added to a container that was ready: {error}"
            ))));
        }
        Ok(match ready.ask(told, tale.line.len().max(WORDS), ANSWER_WITHIN).await {
            Ok(said) if said == tale.line => None,
            Ok(said) if said == NO_WORKDIR => return Err(no_workdir(&ask.command.workdir)),
            Ok(said) if said == NO_PROGRAM => {
                return Err(Error::Program {
                    lane: LANE,
                    program: ask.command.program.clone().into(),
                    problem: format!(
                        "in image {}: no such file; give a path or a name in PATH that exists there",
                        self.lane.facts.image.name
                    ),
                });
            }
            Ok(said) => {
                Some(Offer::Unfit(format!("a shell that was ready could not be told of the command: {}", said.trim())))
            }
            Err(why) => Some(Offer::Spoilt(format!("a container that was ready was of no use: {}", why.trim()))),
        })
    }
}

/// Gives a container the name of a command whose input is pending.
async fn rename(engine: &Engine, container: &str, names: &Names, plain: &Names) -> std::result::Result<(), String> {
    // Also the one that an earlier owner's container of this number has, which was made for its command.
    match tokio::try_join!(engine.exists(&names.complete), engine.exists(&plain.complete)) {
        Ok((false, false)) => {}
        Ok(_) => return Err(format!("{} is in use", plain.complete)),
        Err(error) => return Err(super::super::probe::reason(&error)),
    }
    let renamed = engine.rename_once(container, &names.pending).await;
    renamed.map_err(|error| {
        format!("a container that was ready could not be claimed: {}", super::super::probe::reason(&error))
    })
}
