//! Adding up what the commands of a sandbox used.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::models::ContainerStatsResponse;

use crate::Usage;

/// What a sandbox used so far; shared between its handle and the task that follows its command.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(Arc<Mutex<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    finished: Usage,
    current: Usage,
}

impl Tally {
    /// Takes in what the engine measured. It measures about once a second and nothing once the container has ended, so this is
    /// what was seen rather than what was.
    pub(super) fn sample(&self, stats: &ContainerStatsResponse) {
        let cpu = stats.cpu_stats.as_ref().and_then(|c| c.cpu_usage.as_ref()).and_then(|u| u.total_usage);
        let memory = stats.memory_stats.as_ref().and_then(|m| m.max_usage.max(m.usage));
        let seen = Usage {
            cpu: cpu.filter(|n| *n > 0).map(Duration::from_nanos),
            peak_memory: memory.filter(|bytes| *bytes > 0),
        };
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.current.cpu = parts.current.cpu.max(seen.cpu);
        parts.current.peak_memory = parts.current.peak_memory.max(seen.peak_memory);
    }

    /// Ends the current command and says what it used.
    pub(super) fn close(&self) -> Usage {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = std::mem::take(&mut parts.current);
        parts.finished = parts.finished.plus(current);
        current
    }

    pub(super) fn total(&self) -> Usage {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.finished.plus(parts.current)
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerCpuStats, ContainerCpuUsage, ContainerMemoryStats};

    use super::*;

    fn stats(cpu: u64, memory: u64) -> ContainerStatsResponse {
        let cpu_usage = Some(ContainerCpuUsage { total_usage: Some(cpu), ..Default::default() });
        ContainerStatsResponse {
            cpu_stats: Some(ContainerCpuStats { cpu_usage, ..Default::default() }),
            memory_stats: Some(ContainerMemoryStats { usage: Some(memory), ..Default::default() }),
            ..Default::default()
        }
    }

    #[test]
    fn commands_add_their_cpu_time_and_share_their_peak() {
        let tally = Tally::default();
        tally.sample(&stats(5, 100));
        tally.sample(&stats(7, 80));
        // What an engine says of a container that has just ended.
        tally.sample(&stats(0, 0));
        assert_eq!(tally.close(), Usage { cpu: Some(Duration::from_nanos(7)), peak_memory: Some(100) });
        tally.sample(&stats(3, 20));
        assert_eq!(tally.total(), Usage { cpu: Some(Duration::from_nanos(10)), peak_memory: Some(100) });
    }
}
