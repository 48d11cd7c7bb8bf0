//! Passes the output of a child through and counts its test results.
//!
//! A thread per stream copies the output as it arrives, so a long test shows its progress.
//!
//! A stream normally ends with the child. It stays open if a test left a process behind that
//! inherited it. Such a process may run forever, so after the end of the child the streams have a
//! limited time to end. While the child runs, [`stall`] watches that it makes progress.

use std::io::{self, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::reading::Reading;
use crate::stall::{self, Progress};
use crate::tally::Tally;

/// How long the streams may stay open after the child has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the child ended, and its test results.
#[derive(Debug)]
pub(crate) struct Relayed {
    pub(crate) status: ExitStatus,
    pub(crate) tally: Tally,
    /// Whether a process that the child left behind still holds its output open.
    pub(crate) left_open: bool,
}

/// Runs `command` and copies its output to the streams of this program.
/// If it prints nothing for `silence`, what it runs is killed; see [`stall`].
pub(crate) fn run(command: Command, silence: Duration) -> io::Result<Relayed> {
    run_into(command, io::stdout(), io::stderr(), PATIENCE, silence)
}

fn run_into(
    mut command: Command,
    out: impl Write + Send + 'static,
    err: impl Write + Send + 'static,
    patience: Duration,
    silence: Duration,
) -> io::Result<Relayed> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;

    let (relays, ended) = mpsc::channel();
    let readings = [Shared::default(), Shared::default()];
    let progress = Arc::new(Progress::default());
    if let Some(stream) = child.stdout.take() {
        readings[0].relay(stream, out, relays.clone(), progress.clone());
    }
    if let Some(stream) = child.stderr.take() {
        readings[1].relay(stream, err, relays.clone(), progress.clone());
    }
    drop(relays);

    let (running, over) = mpsc::channel::<Never>();
    let pid = child.id();
    let watched = thread::spawn(move || stall::watch(pid, &progress, silence, &over));
    let status = child.wait();
    drop(running);
    // It prints and starts `kill`: if it panics, only the watch is lost.
    let _ = watched.join();
    let status = status?;
    let left_open = !all_ended(&ended, patience);

    let mut tally = Tally::default();
    for reading in readings {
        tally += reading.lock().tally();
    }
    Ok(Relayed { status, tally, left_open })
}

/// The message type of a channel that only signals its end: every relay holds a sender.
enum Never {}

fn all_ended(ended: &Receiver<Never>, patience: Duration) -> bool {
    matches!(ended.recv_timeout(patience), Err(RecvTimeoutError::Disconnected))
}

/// A reading that its relay may use longer than this program waits for the stream to end.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Reading>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies in the background until `from` ends, then drops `running`.
    fn relay(
        &self,
        mut from: impl Read + Send + 'static,
        mut to: impl Write + Send + 'static,
        running: Sender<Never>,
        progress: Arc<Progress>,
    ) {
        let reading = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let piece = match from.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => &buffer[..length],
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => break,
                };
                progress.note();
                // If the copy has no reader any more, counting continues.
                let _ = to.write_all(piece).and_then(|()| to.flush());
                reading.lock().feed(piece);
            }
            reading.lock().end();
            drop(running);
        });
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Collects what is written, so that these tests do not print results themselves.
    #[derive(Clone, Default)]
    struct Collected(Arc<Mutex<Vec<u8>>>);

    impl Collected {
        fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
        }
    }

    impl Write for Collected {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").write(piece)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command
    }

    fn passed(count: u64) -> Tally {
        Tally { passed: count, ..Tally::default() }
    }

    #[test]
    fn both_streams_are_copied_and_counted() {
        let (out, err) = (Collected::default(), Collected::default());
        let script = "
            echo 'test result: ok. 2 passed; 0 failed; 0 ignored'
            echo 'test result: ok. 1 passed; 0 failed; 0 ignored' >&2
            printf 'test result: ok. 4 passed; 0 failed; 0 ignored'
            exit 3";
        let relayed = run_into(shell(script), out.clone(), err.clone(), LONG, LONG).expect("sh runs");

        assert_eq!(relayed.status.code(), Some(3));
        assert_eq!(relayed.tally, passed(7));
        assert!(!relayed.left_open);
        assert_eq!(out.text().lines().count(), 2);
        assert_eq!(err.text(), "test result: ok. 1 passed; 0 failed; 0 ignored\n");
    }

    #[test]
    fn a_process_left_behind_does_not_delay_the_end() {
        let script = "echo 'test result: ok. 5 passed; 0 failed; 0 ignored'; sleep 20 & exit 0";
        let began = Instant::now();
        let relayed =
            run_into(shell(script), io::sink(), io::sink(), Duration::from_millis(200), LONG).expect("sh runs");

        assert!(relayed.status.success());
        assert!(relayed.left_open);
        assert_eq!(relayed.tally, passed(5));
        assert!(began.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn counting_continues_without_a_reader() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let script = "echo 'test result: ok. 6 passed; 0 failed; 0 ignored'";
        let relayed = run_into(shell(script), Closed, Closed, LONG, LONG).expect("sh runs");
        assert_eq!(relayed.tally, passed(6));
    }
}
