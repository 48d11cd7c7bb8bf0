//! The process itself, with the names that clients of Prometheus have agreed on.
//!
//! Linux tells it in `/proc`. Elsewhere there are none of these metrics.

use std::fs;

use super::Exposition;

/// The unit of times in `/proc`: it is 100 a second on all machines that Rust supports.
const TICKS: f64 = 100.0;

/// Adds what is known of this process.
pub(super) fn expose(text: &mut Exposition) {
    let Some(known) = read() else { return };
    let one = |value: Option<f64>| value.map(|value| (String::new(), value));
    let cpu = known.cpu.map(|value| (String::new(), value));
    text.counter("process_cpu_seconds_total", "The CPU time of the process, of user and system.", cpu);
    text.gauge("process_start_time_seconds", "When the process started.", one(known.start));
    text.gauge("process_resident_memory_bytes", "The memory of the process in RAM.", one(known.resident));
    text.gauge("process_virtual_memory_bytes", "The address space of the process.", one(known.virtual_memory));
    text.gauge("process_open_fds", "The open file descriptors of the process.", one(known.descriptors));
    text.gauge("process_max_fds", "The most file descriptors that the process may open.", one(known.most_descriptors));
    text.gauge("process_threads", "The threads of the process.", one(known.threads));
}

#[derive(Debug)]
struct Process {
    cpu: Option<f64>,
    start: Option<f64>,
    resident: Option<f64>,
    virtual_memory: Option<f64>,
    descriptors: Option<f64>,
    most_descriptors: Option<f64>,
    threads: Option<f64>,
}

fn read() -> Option<Process> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
    // The name of the program, which is in parentheses, may have spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // Numbered from 1 in proc(5); the third is the first after the name.
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let kib = |name: &str| Some(after(&status, name)?.parse::<f64>().ok()? * 1024.0);
    let boot = after(&boot, "btime").and_then(|word| word.parse::<f64>().ok());
    Some(Process {
        cpu: field(14).zip(field(15)).map(|(user, system)| (user + system) / TICKS),
        start: boot.zip(field(22)).map(|(boot, ticks)| boot + ticks / TICKS),
        resident: kib("VmRSS:"),
        virtual_memory: kib("VmSize:"),
        descriptors: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64),
        most_descriptors: after(&limits, "Max open files").and_then(|word| word.parse().ok()),
        threads: field(20),
    })
}

/// The word after a name at the beginning of a line.
fn after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn all_is_known_on_linux() {
        let process = read().expect("there is /proc");
        let now = crate::base::Timestamp::now().as_nanos() as f64 / 1e9;
        assert!(process.start.is_some_and(|start| start > now - 86_400.0 && start < now + 2.0), "{process:?}");
        assert!(process.resident.is_some_and(|bytes| bytes > 1e6 && Some(bytes) < process.virtual_memory));
        assert!(process.descriptors.zip(process.most_descriptors).is_some_and(|(open, most)| open < most));
        assert!(process.cpu.is_some() && process.threads.is_some_and(|threads| threads >= 1.0), "{process:?}");
    }
}
