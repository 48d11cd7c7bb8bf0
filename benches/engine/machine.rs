//! The machine that the numbers come from, and the memory of this process, as reported by Linux.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A description of the machine for readers.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cores: usize,
    cpu: String,
    system: String,
    rustc: String,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Machine {
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            cpu: cpu.map_or_else(unknown, |(_, name)| name.to_owned()),
            system: output_of("uname", &["-sr"]),
            rustc: output_of("rustc", &["--version"]),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores ({}), {}, {}", self.cores, self.cpu, self.system, self.rustc)
    }
}

/// The load averages of the last one, five and fifteen minutes.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let three: Vec<&str> = load.split(' ').take(3).collect();
    if three.len() == 3 { three.join(" ") } else { unknown() }
}

/// The type and the device of the file system of a directory.
pub(crate) fn file_system(directory: &Path) -> String {
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_path_buf());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mount = |line: &str| {
        let mut fields = line.split(' ');
        let (device, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        directory.starts_with(at).then(|| (at.len(), format!("{kind} ({device})")))
    };
    // The last mount at a mount point hides the others.
    mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length).map_or_else(unknown, |(_, named)| named)
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or_else(unknown, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The resident memory of this process, in bytes, or 0 if the system does not report it.
pub(crate) fn resident() -> u64 {
    status("VmRSS:")
}

/// The peak of the resident memory since the start or the last [`forget_peak`].
pub(crate) fn peak() -> u64 {
    status("VmHWM:")
}

/// Resets [`peak`].
pub(crate) fn forget_peak() {
    // If this is not permitted, the peak is that of the whole life of the process.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")?.parse().ok());
    kibibytes.map_or(0, |kibibytes: u64| kibibytes * 1024)
}
