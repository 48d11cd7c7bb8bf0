//! Keeps the output of tasks and the progress view apart.
//!
//! Tasks print to stdout and stderr, and so do the programs they start. While the view is drawn on
//! the same terminal they would write into it, and the next drawing would erase what they wrote. So
//! for that time both descriptors are the end of a pipe, and a thread passes on what comes through
//! it, line by line, above the view.
//!
//! 1. [`Capture::start`] keeps the terminal under another descriptor and puts the pipe in its
//!    place.
//! 2. The thread reads until every writer is gone, and hands complete lines to the sink. It never
//!    stops reading: a full pipe would stop the tasks.
//! 3. [`Capture::end`] puts the terminal back, which closes our end of the pipe, and waits a moment
//!    for the thread to pass on the rest. A child process that lives on may hold the pipe open for
//!    longer; the thread then serves it until the program ends.
//!
//! [`StdoutRedirect`] is a simpler form: it sends stdout to stderr while a run is running, so that
//! stdout contains only the document that is printed afterwards.

use std::fs::File;
use std::io::{self, IsTerminal, PipeReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// The captured streams of the process.
#[derive(Debug)]
pub(in crate::cli) struct Capture {
    stdout: Option<OwnedFd>,
    stderr: OwnedFd,
    done: Receiver<()>,
}

impl Capture {
    /// The terminal behind stderr, for the view and for what is passed on.
    pub(super) fn terminal() -> io::Result<File> {
        io::stderr().as_fd().try_clone_to_owned().map(File::from)
    }

    /// From now on, everything printed goes to `sink` in whole lines.
    pub(super) fn start(sink: impl FnMut(&[u8]) + Send + 'static) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let stderr = io::stderr().as_fd().try_clone_to_owned()?;
        // A stdout that is not a terminal cannot disturb the view.
        let stdout = match io::stdout().is_terminal() {
            true => Some(io::stdout().as_fd().try_clone_to_owned()?),
            false => None,
        };
        let (finished, done) = mpsc::channel();
        std::thread::Builder::new().name("taskflow-output".to_owned()).spawn(move || {
            pass_on(reader, sink);
            let _ = finished.send(());
        })?;
        let _ = io::stdout().flush();
        rustix::stdio::dup2_stderr(&writer)?;
        if stdout.is_some() {
            rustix::stdio::dup2_stdout(&writer)?;
        }
        Ok(Capture { stdout, stderr, done })
    }

    /// Restores the streams.
    pub(super) fn end(self) {
        /// How long the rest of the output may take.
        const PATIENCE: Duration = Duration::from_secs(1);
        let _ = io::stdout().flush();
        if let Some(stdout) = &self.stdout {
            let _ = rustix::stdio::dup2_stdout(stdout);
        }
        let _ = rustix::stdio::dup2_stderr(&self.stderr);
        let _ = self.done.recv_timeout(PATIENCE);
    }
}

/// Reads to the end and passes on whole lines.
fn pass_on(mut reader: PipeReader, mut sink: impl FnMut(&[u8])) {
    /// A longer line is broken.
    const LONG: usize = 64 * 1024;
    /// Redrawing the view for each of many small writes would be slower than the writes.
    const PAUSE: Duration = Duration::from_millis(20);

    let mut buffer = vec![0; LONG];
    let mut held: Vec<u8> = Vec::new();
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        held.extend_from_slice(&buffer[..read]);
        if held.len() >= LONG && !held.contains(&b'\n') {
            held.push(b'\n');
        }
        let whole = held.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if whole > 0 {
            sink(&held[..whole]);
            held.drain(..whole);
        }
        if read < LONG / 2 {
            std::thread::sleep(PAUSE);
        }
    }
    if !held.is_empty() {
        held.push(b'\n');
        sink(&held);
    }
}

/// While it exists, stdout is redirected to stderr.
#[derive(Debug)]
pub(in crate::cli) struct StdoutRedirect(OwnedFd);

impl StdoutRedirect {
    pub(in crate::cli) fn start() -> io::Result<Self> {
        io::stdout().flush()?;
        let stdout = io::stdout().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        Ok(StdoutRedirect(stdout))
    }

    /// Restores stdout.
    pub(in crate::cli) fn end(self) -> io::Result<()> {
        let _ = io::stdout().flush();
        Ok(rustix::stdio::dup2_stdout(&self.0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed_on(writes: &[&[u8]]) -> Vec<u8> {
        let (reader, mut writer) = io::pipe().unwrap();
        for write in writes {
            writer.write_all(write).unwrap();
        }
        drop(writer);
        let mut seen = Vec::new();
        pass_on(reader, |lines| {
            assert!(lines.ends_with(b"\n"), "the view would start in the middle of a line");
            seen.extend_from_slice(lines);
        });
        seen
    }

    #[test]
    fn everything_is_passed_on_in_order() {
        assert_eq!(passed_on(&[b"one\ntw", b"o\nthree\n"]), b"one\ntwo\nthree\n");
    }

    #[test]
    fn a_missing_final_line_break_is_added() {
        assert_eq!(passed_on(&[b"one\nhalf"]), b"one\nhalf\n");
    }
}
