//! Which processes hold a pipe open.

use std::fs;
use std::time::Duration;

/// Says in the log of the attempt which other processes hold the pipes of an ended command.
/// `open` contains the names of the streams, and the pipes.
pub(super) async fn report(open: Vec<(&'static str, String)>, waited: Duration) {
    if open.is_empty() {
        return;
    }
    let (names, pipes): (Vec<&str>, Vec<String>) = open.into_iter().unzip();
    // It reads many small files.
    let holders = tokio::task::spawn_blocking(move || holders(&pipes)).await.unwrap_or_default();
    let (were, names) = (if names.len() == 1 { "was" } else { "were" }, names.join(" and "));
    let waited = waited.as_secs_f64();
    let (held, have) = match &holders[..] {
        [] => ("another process".to_owned(), "has"),
        [one] => (format!("process {one}"), "has"),
        [all @ .., last] => (format!("processes {} and {last}", all.join(", ")), "have"),
    };
    tracing::warn!(
        target: "taskflow",
        "{names} of the command {were} still open {waited:.1} s after its end, held by {held}, which {have} left the \
         process group; what it writes from now on is lost"
    );
}

/// The other processes that have one of the pipes: `1234 (`sleep 30`)`. Known on Linux only, and
/// only for processes of the same user.
fn holders(pipes: &[String]) -> Vec<String> {
    const LONGEST: usize = 60;
    let own = std::process::id();
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    for process in processes.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let mut links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        if id == own || !links.any(|link| pipes.iter().any(|pipe| link.as_os_str() == pipe.as_str())) {
            continue;
        }
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).trim_end_matches('\0').replace(['\0', '\n'], " ");
        let line: String = line.chars().take(LONGEST).collect();
        found.push(format!("{id} (`{line}`)"));
    }
    found
}
