//! The image: found, fetched when that was asked for, and pinned.

use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as Client;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::{Error, Result};

use super::options::Pull;
use super::probe::{reason, unavailable};

/// Until the engine has looked an image up, at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a pull may bring nothing new, and how long it may take in all.
const SILENCE: Duration = Duration::from_secs(120);
const WHOLE: Duration = Duration::from_secs(3600);

/// What is known about the image that every container is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Image {
    /// As the caller named it, for messages.
    pub(super) name: String,
    /// What this name stood for.
    pub(super) id: String,
    /// The variables that it sets.
    pub(super) variables: Vec<(String, String)>,
    /// The places for which an engine would make directories on the host's disk, which no limit of a container reaches.
    pub(super) volumes: Vec<String>,
}

impl Image {
    fn new(name: &str, found: ImageInspect) -> Self {
        let config = found.config.unwrap_or_default();
        let split = |v: &String| v.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        Self {
            name: name.to_owned(),
            id: found.id.unwrap_or_else(|| name.to_owned()),
            variables: config.env.unwrap_or_default().iter().filter_map(split).collect(),
            volumes: config.volumes.unwrap_or_default(),
        }
    }
}

/// Looks the image up, and has the engine fetch it if that was asked for.
pub(super) async fn find(docker: &Docker, name: &str, pull: Pull) -> Result<Image> {
    if let Some(found) = look(docker, name).await? {
        return Ok(Image::new(name, found));
    }
    if pull == Pull::Never {
        return Err(missing(name));
    }
    fetch(docker, name).await?;
    let found = look(docker, name).await?;
    found.map(|found| Image::new(name, found)).ok_or_else(|| missing(name))
}

async fn look(docker: &Docker, name: &str) -> Result<Option<ImageInspect>> {
    let failed = |source| Error::Lane { action: format!("ask the engine for image {name}"), source };
    match timeout(PATIENCE, docker.inspect_image(name)).await {
        Ok(Ok(found)) => Ok(Some(found)),
        Ok(Err(Client::DockerResponseServerError { status_code: 404, .. })) => Ok(None),
        Ok(Err(error)) => Err(failed(error.into())),
        Err(late) => Err(failed(late.into())),
    }
}

async fn fetch(docker: &Docker, name: &str) -> Result<()> {
    let not = |why: String| {
        unavailable(format!(
            "image {name} is not on the engine, and could not be pulled: {why}; check its name and the registry"
        ))
    };
    let options = CreateImageOptionsBuilder::default().from_image(&tagged(name)).build();
    let mut progress = docker.create_image(Some(options), None, None);
    let pulled = timeout(WHOLE, async {
        loop {
            match timeout(SILENCE, progress.next()).await {
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(not(reason(&error))),
                Ok(None) => return Ok(()),
                Err(_) => return Err(not(format!("nothing came for {} s", SILENCE.as_secs()))),
            }
        }
    });
    pulled.await.unwrap_or_else(|_| Err(not(format!("it was not done after {} s", WHOLE.as_secs()))))
}

/// An engine takes a name without a tag for all the tags that there are.
fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

fn missing(name: &str) -> Error {
    unavailable(format!(
        "image {name} is not on the engine, and nothing is pulled unless it is asked for; make it with \
         `scripts/docker-image {name}`, or build, import or pull it by hand"
    ))
}

/// The image went away after it was found.
pub(super) fn removed(image: &Image) -> Error {
    unavailable(format!(
        "image {} ({}) was removed from the engine since this lane connected to it; bring it back, and connect again",
        image.name, image.id
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_is_not_taken_for_all_tags() {
        assert_eq!(tagged("debian"), "debian:latest");
        assert_eq!(tagged("host:5000/debian"), "host:5000/debian:latest");
        assert_eq!(tagged("host:5000/debian:12"), "host:5000/debian:12");
        assert_eq!(tagged("debian@sha256:12"), "debian@sha256:12");
    }
}
