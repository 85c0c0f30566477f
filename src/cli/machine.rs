//! What this machine offers: processors, memory, and what a container allows of it.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory in bytes, as far as the system tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Memory {
    /// Built in.
    pub total: Option<u64>,
    /// Free or quickly freed.
    pub available: Option<u64>,
    /// Allowed by the container (cgroup), where it is less than built in.
    pub container: Option<u64>,
}

impl Memory {
    /// Looks now.
    pub fn look() -> Self {
        let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = meminfo(&info, "MemTotal:");
        let container = cgroup_limit(Path::new("/sys/fs/cgroup"), &own_cgroups());
        Self {
            total,
            available: meminfo(&info, "MemAvailable:"),
            container: container.filter(|limit| total.is_none_or(|total| *limit < total)),
        }
    }

    /// The most that this program may use.
    pub fn allowed(&self) -> Option<u64> {
        self.container.or(self.total)
    }
}

/// Processors that this program may use.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

fn own_cgroups() -> String {
    fs::read_to_string("/proc/self/cgroup").unwrap_or_default()
}

/// The tightest limit on the way from our group to the root, in version 2 and version 1.
fn cgroup_limit(root: &Path, own: &str) -> Option<u64> {
    let read = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let mut limits = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let (base, file) = if controllers.is_empty() {
            (root.to_owned(), "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        // Inside a container the path may be that of the host, and only the root is visible.
        for folder in Path::new(group.trim_start_matches('/')).ancestors() {
            limits.extend(read(base.join(folder).join(file)));
        }
    }
    limits.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_group_on_the_way_to_the_root_counts() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let group = root.path().join("a/b");
        fs::create_dir_all(&group).expect("writable");
        fs::write(group.join("memory.max"), "max\n").expect("writable");
        fs::write(root.path().join("a/memory.max"), "268435456\n").expect("writable");
        assert_eq!(cgroup_limit(root.path(), "0::/a/b\n"), Some(268_435_456));
        assert_eq!(cgroup_limit(root.path(), "0::/elsewhere\n"), None);
    }

    #[test]
    fn version_one_has_its_own_folder() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(root.path().join("memory/x")).expect("writable");
        fs::write(root.path().join("memory/x/memory.limit_in_bytes"), "1024").expect("writable");
        let own = "5:cpu,cpuacct:/x\n4:memory:/x\n";
        assert_eq!(cgroup_limit(root.path(), own), Some(1_024));
    }

    #[test]
    fn meminfo_counts_in_kibibytes() {
        assert_eq!(meminfo("MemTotal:  16 kB\nMemFree: 1 kB", "MemTotal:"), Some(16_384));
    }
}
