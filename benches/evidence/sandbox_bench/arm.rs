//! What is measured against what.

/// One way to run a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Arm {
    Plain,
    Floor,
    Host,
    HostMore,
    Native,
    NativeMore,
    NativeLimited,
    Bubblewrap,
    DockerCold,
    DockerMore,
    DockerRun,
    DockerFirst,
    DockerWarm,
}

/// The most that one may cost, as a ratio.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bar {
    /// So many plain spawns; or, where the kernel alone takes more than that, so many times the floor.
    OfPlainOrFloor(f64, f64),
    OfCounterpart(f64),
}

impl Arm {
    pub(super) const ALL: [Self; 13] = [
        Self::Plain,
        Self::Floor,
        Self::Host,
        Self::HostMore,
        Self::Native,
        Self::NativeMore,
        Self::NativeLimited,
        Self::Bubblewrap,
        Self::DockerCold,
        Self::DockerMore,
        Self::DockerRun,
        Self::DockerFirst,
        Self::DockerWarm,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Plain => "plain spawn",
            Self::Floor => "the namespaces and mounts of the native lane alone",
            Self::Host => "host: start, exec, stop",
            Self::HostMore => "host: exec",
            Self::Native => "native: start, exec, stop",
            Self::NativeMore => "native: exec",
            Self::NativeLimited => "native: start, exec, stop, with limits of memory and processes",
            Self::Bubblewrap => "bubblewrap, the same namespaces and root",
            Self::DockerCold => "docker: start, exec, stop",
            Self::DockerMore => "docker: exec",
            Self::DockerRun => "docker run --rm, the same flags",
            Self::DockerFirst => "docker: until the first output",
            Self::DockerWarm => "docker: until the first output, in a container that was ready",
        }
    }

    /// Whether an engine does it.
    pub(super) fn heavy(self) -> bool {
        matches!(self, Self::DockerCold | Self::DockerMore | Self::DockerRun | Self::DockerFirst | Self::DockerWarm)
    }

    pub(super) fn counterpart(self) -> Option<Self> {
        match self {
            Self::Native | Self::NativeMore | Self::NativeLimited => Some(Self::Bubblewrap),
            Self::DockerCold | Self::DockerMore => Some(Self::DockerRun),
            Self::DockerWarm => Some(Self::DockerFirst),
            _ => None,
        }
    }

    pub(super) fn bars(self) -> &'static [Bar] {
        match self {
            Self::Native | Self::NativeMore | Self::NativeLimited => {
                &[Bar::OfPlainOrFloor(5.0, 1.25), Bar::OfCounterpart(0.7)]
            }
            Self::DockerCold | Self::DockerMore => &[Bar::OfCounterpart(1.0)],
            Self::DockerWarm => &[Bar::OfCounterpart(0.2)],
            _ => &[],
        }
    }
}
