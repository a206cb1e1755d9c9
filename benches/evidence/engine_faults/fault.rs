//! What is done to an engine, and when.

use std::time::Duration;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Create,
    Attach,
    Start,
    Wait,
    Stop,
    OwnerToo,
    ShutDown,
    Containerd,
    ImageRemoved,
    ContainerRemoved,
    DiskFullBefore,
    DiskFullMeanwhile,
}

/// What the engine is hit with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// SIGKILL for the engine, or SIGTERM, and a new one.
    Kill,
    Term,
    /// SIGKILL for what runs its containers, and a new one.
    Containerd,
    RemoveImage,
    RemoveContainer,
    FillDisk,
}

impl Fault {
    pub(crate) const ALL: [Self; 12] = [
        Self::Create,
        Self::Attach,
        Self::Start,
        Self::Wait,
        Self::Stop,
        Self::OwnerToo,
        Self::ShutDown,
        Self::Containerd,
        Self::ImageRemoved,
        Self::ContainerRemoved,
        Self::DiskFullBefore,
        Self::DiskFullMeanwhile,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "killed during create",
            Self::Attach => "killed during attach",
            Self::Start => "killed during start",
            Self::Wait => "killed during wait",
            Self::Stop => "killed during stop",
            Self::OwnerToo => "killed with the owner",
            Self::ShutDown => "shut down during wait",
            Self::Containerd => "containerd killed during wait",
            Self::ImageRemoved => "image removed before create",
            Self::ContainerRemoved => "container removed by others",
            Self::DiskFullBefore => "disk full before create",
            Self::DiskFullMeanwhile => "disk full during wait",
        }
    }

    pub(crate) fn blow(self) -> Blow {
        match self {
            Self::Create | Self::Attach | Self::Start | Self::Wait | Self::Stop | Self::OwnerToo => Blow::Kill,
            Self::ShutDown => Blow::Term,
            Self::Containerd => Blow::Containerd,
            Self::ImageRemoved => Blow::RemoveImage,
            Self::ContainerRemoved => Blow::RemoveContainer,
            Self::DiskFullBefore | Self::DiskFullMeanwhile => Blow::FillDisk,
        }
    }

    /// The request at which the blow is dealt, by the start and the end of its path.
    pub(crate) fn request(self) -> (&'static str, &'static str) {
        match self {
            Self::Create | Self::ImageRemoved | Self::DiskFullBefore => ("POST", "/containers/create"),
            Self::Attach => ("POST", "/attach"),
            Self::Start => ("POST", "/start"),
            Self::Stop => ("POST", "/kill"),
            Self::Wait
            | Self::OwnerToo
            | Self::ShutDown
            | Self::Containerd
            | Self::ContainerRemoved
            | Self::DiskFullMeanwhile => ("POST", "/wait"),
        }
    }

    /// How long after that request at most.
    pub(crate) fn within(self) -> Duration {
        Duration::from_millis(match self {
            Self::Create | Self::Attach => 80,
            Self::Start | Self::Stop => 300,
            Self::ImageRemoved | Self::DiskFullBefore => 0,
            _ => 900,
        })
    }

    /// Whether the request waits until the blow was dealt.
    pub(crate) fn holds_back(self) -> bool {
        matches!(self, Self::ImageRemoved | Self::DiskFullBefore)
    }
}
