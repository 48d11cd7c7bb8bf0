//! Which process has locked a database.

use std::path::Path;

/// The process that has locked a database against writing: `process 1234 (delays), which is
/// stopped`. Only Linux says it, and only of processes in the same container.
pub(super) fn lock_holder(path: &Path) -> Option<String> {
    #[cfg(target_os = "linux")]
    return linux::holder(path);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use crate::store::sqlite::presence::with_suffix;

    /// How often the locks are read. The system lists them in pieces, and skips some if others go
    /// in between.
    const READS: usize = 5;

    pub(super) fn holder(path: &Path) -> Option<String> {
        // The lock for writing is on the shared memory of the write-ahead log. Without one it is
        // on the database.
        let files = [with_suffix(path, "-shm"), path.to_owned()];
        let inodes = files.iter().filter_map(|file| Some(std::fs::metadata(file).ok()?.ino().to_string()));
        let inodes: Vec<String> = inodes.collect();
        let pid = (0..READS).find_map(|_| {
            let locks = std::fs::read_to_string("/proc/locks").ok()?;
            inodes.iter().find_map(|inode| writer(&locks, inode))
        })?;
        let about = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        let name = about("comm").map(|name| format!(" ({})", name.trim_end())).unwrap_or_default();
        // The state follows the name, which can contain anything.
        let stat = about("stat");
        let state = stat.as_deref().and_then(|stat| stat.rsplit_once(") ")).and_then(|(_, state)| state.chars().next());
        let stopped = if state == Some('T') { ", which is stopped" } else { "" };
        Some(format!("process {pid}{name}{stopped}"))
    }

    /// The process with a lock for writing on the file with this inode: in a line such as `1: POSIX
    /// ADVISORY WRITE 1234 08:01:131 120 120`.
    fn writer(locks: &str, inode: &str) -> Option<u32> {
        let of_line = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, _, _, "WRITE", pid, file, ..] = words[..] else { return None };
            if file.rsplit(':').next() == Some(inode) { pid.parse().ok().filter(|&pid| pid > 0) } else { None }
        };
        locks.lines().find_map(of_line)
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn the_writer_of_a_file_is_found_among_the_locks() {
            let locks = "1: POSIX  ADVISORY  READ 7 08:01:131 124 124\n\
                         1: -> POSIX  ADVISORY  WRITE 8 08:01:131 120 120\n\
                         2: POSIX  ADVISORY  WRITE 9 08:01:131 120 120\n\
                         3: FLOCK  ADVISORY  WRITE 10 08:01:1310 0 EOF\n";
            assert_eq!(super::writer(locks, "131"), Some(9));
            assert_eq!(super::writer(locks, "1310"), Some(10));
            assert_eq!(super::writer(locks, "13"), None);
        }
    }
}
