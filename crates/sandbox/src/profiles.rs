//! Four sizes of limits.

use crate::Limits;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

impl Limits {
    /// For a script or a check: 512 MiB of memory, 1 core, 128 processes, 2 GiB of growth on disk, 128 MiB of `/tmp`.
    pub fn small() -> Self {
        let (memory, cpu_millis, pids) = (Some(512 * MIB), Some(1000), Some(128));
        Self { memory, cpu_millis, pids, disk: Some(2 * GIB), tmp: 128 * MIB, ..Self::default() }
    }

    /// For an agent and its tests; the default: 2 GiB of memory, 2 cores, 512 processes, 8 GiB of growth on disk, 512 MiB of
    /// `/tmp`.
    pub fn medium() -> Self {
        Self::default()
    }

    /// For a build: 8 GiB of memory, 4 cores, 2048 processes, 32 GiB of growth on disk, 2 GiB of `/tmp`.
    pub fn large() -> Self {
        let (memory, cpu_millis, pids) = (Some(8 * GIB), Some(4000), Some(2048));
        Self { memory, cpu_millis, pids, disk: Some(32 * GIB), tmp: 2 * GIB, ..Self::default() }
    }

    /// For a build that takes a machine: 32 GiB of memory, 16 cores, 8192 processes, 128 GiB of growth on disk, 8 GiB of
    /// `/tmp`.
    pub fn huge() -> Self {
        let (memory, cpu_millis, pids) = (Some(32 * GIB), Some(16_000), Some(8192));
        Self { memory, cpu_millis, pids, disk: Some(128 * GIB), tmp: 8 * GIB, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_is_larger_than_the_one_before_in_all_that_a_machine_has() {
        let sizes = [Limits::small(), Limits::medium(), Limits::large(), Limits::huge()];
        for pair in sizes.windows(2) {
            let of = |limits: &Limits| (limits.memory, limits.cpu_millis, limits.pids, limits.disk, limits.tmp);
            let (less, more) = (of(&pair[0]), of(&pair[1]));
            assert!(
                less.0 < more.0 && less.1 < more.1 && less.2 < more.2 && less.3 < more.3 && less.4 < more.4,
                "{pair:?}"
            );
        }
    }
}
