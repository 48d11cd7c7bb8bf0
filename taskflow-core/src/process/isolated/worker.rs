//! A worker: runs many attempts in one process, in sequence.
//!
//! 1. The program that starts it writes *requests* to its stdin: a length of eight bytes, followed
//!    by as many bytes with the [request](super::wire::AttemptRequest) and the inputs of an
//!    attempt, one frame each. A length of zero marks the end of the requests.
//! 2. The worker answers on stdout in the same order: the frames of the attempt, as the process of
//!    an isolated task sends them, followed by the length [`END`]. Before all answers it writes one
//!    such length, when it is ready.
//! 3. After the last answer it writes the number of answers in eight bytes and exits with 0, or
//!    with 2 if it was started incorrectly. If the count is missing, the current attempt has ended
//!    the process, whatever the exit code: a task can call `exit(0)`.
//! 4. If its stdin is closed before it has answered, the result is no longer needed: it kills its
//!    process group, including itself.
//!
//! The stdout of tasks is redirected to stderr. If that is a file, the worker reads it after each
//! attempt, includes its content in the answer and empties it: whatever the file contains after a
//! crash was printed by the current attempt.
//!
//! The frames of a running attempt are written at once, so they survive its crash. The final frame
//! and the end of the answer are a single write: most attempts send nothing else, and system calls
//! dominate the cost of a small one.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Read as _, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, mpsc};

use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group};
use tokio::runtime::Runtime;
use tracing::level_filters::LevelFilter;

use super::child::{Link, call, find};
use super::wire::{self, AttemptRequest, Frame};
use crate::base::{QUIET, panics};
use crate::log::relay;
use crate::task::AttemptControl;

/// A length that no frame has.
const END: u64 = u64::MAX;
/// The most bytes of printed text that are reported, taken from the end.
const PRINTED: u64 = 64 << 10;

/// Answers the requests on stdin; returns the exit code of the process.
pub(crate) fn serve_many() -> i32 {
    if io::stdin().is_terminal() {
        eprintln!("error: Spark starts the workers of taskflow with this command; it does nothing when called by hand");
        return 2;
    }
    match work() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: the worker failed: {error}");
            1
        }
    }
}

fn work() -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())?;
    let own = |stream: io::Result<std::os::fd::OwnedFd>| stream.map(File::from).map_err(text);
    let requests = own(io::stdin().as_fd().try_clone_to_owned())?;
    let answers = own(io::stdout().as_fd().try_clone_to_owned())?;
    let printed = own(io::stderr().as_fd().try_clone_to_owned())?;
    let printed = printed.metadata().is_ok_and(|file| file.is_file()).then_some(printed);
    let nothing = File::open("/dev/null").map_err(text)?;
    rustix::stdio::dup2_stdin(nothing).map_err(|error| error.to_string())?;
    rustix::stdio::dup2_stdout(io::stderr()).map_err(|error| error.to_string())?;

    let answered = Arc::new(AtomicBool::new(false));
    let requests = listen(requests, Arc::clone(&answered)).map_err(text)?;
    let mut out = Out(Arc::new(Mutex::new(BufWriter::new(answers))));
    out.end().map_err(text)?;
    panics::install_hook();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().map_err(text)?;
    let current = Current::default();
    let mut count = 0;
    let worked = requests.into_iter().try_for_each(|request| {
        answer(&request, &out, printed.as_ref(), &current, &runtime)?;
        count += 1;
        out.end().map_err(text)
    });
    let worked = worked.and_then(|()| out.close(count).map_err(text));
    answered.store(true, Ordering::SeqCst);
    // Tasks may have left work on the runtime that never ends.
    runtime.shutdown_background();
    worked
}

/// Reads ahead to detect the end of the parent while a task runs.
fn listen(requests: File, answered: Arc<AtomicBool>) -> io::Result<mpsc::Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new().name("taskflow-requests".to_owned()).spawn(move || {
        let mut requests = BufReader::with_capacity(64 << 10, requests);
        while let Ok(Some(request)) = wire::read(&mut requests) {
            if request.is_empty() {
                // No more requests, but the stream stays open until everything is answered.
                drop(sender);
                let _ = requests.read(&mut [0]);
                break;
            }
            let _ = sender.send(request);
        }
        if !answered.load(Ordering::SeqCst) {
            end_all();
        }
    })?;
    Ok(receiver)
}

/// Kills this process and everything its tasks have started.
fn end_all() {
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    std::process::exit(1);
}

/// The destination of records: the current attempt.
#[derive(Clone, Default)]
struct Current(Arc<Mutex<Option<Link>>>);

impl Current {
    fn lock(&self) -> MutexGuard<'_, Option<Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(
    request: &[u8],
    out: &Out,
    printed: Option<&File>,
    current: &Current,
    runtime: &Runtime,
) -> Result<(), String> {
    static RELAY: Once = Once::new();

    let mut rest = request;
    let mut next = || wire::read(&mut rest).ok().flatten();
    let request: AttemptRequest = wire::decode(&next().ok_or("a request is empty")?)?;
    let inputs: Option<Vec<Vec<u8>>> = (0..request.inputs).map(|_| next()).collect();
    let inputs = inputs.ok_or("a request does not have all of its inputs")?;
    QUIET.store(request.quiet, Ordering::Relaxed);
    RELAY.call_once(|| {
        let to = current.clone();
        relay::relay(request.level.parse().unwrap_or(LevelFilter::INFO), move |record| {
            let link = to.lock().clone();
            if let (Some(link), Ok(json)) = (link, serde_json::to_string(&record)) {
                link.send(&Frame::Record(json));
            }
        });
    });

    let link = Link::new(out.clone());
    *current.lock() = Some(link.clone());
    let control = Arc::new(AttemptControl::default());
    match find(&request) {
        Ok(def) => {
            let ending = call(def, &request, &inputs, &link, &control, runtime);
            // Flush printed lines before the final frame, so that they reach the log of the
            // attempt.
            let _ = io::stdout().flush();
            // Text that cannot be read now is left for the next attempt.
            if let Some(text) = printed.and_then(|file| take_printed(file).ok().flatten()) {
                link.send(&Frame::Printed(text));
            }
            if let Some((done, total)) = control.progress() {
                link.send(&Frame::Progress { done, total });
            }
            link.end_with(def, ending);
        }
        Err(failure) => link.end(&Frame::Failed(failure)),
    }
    *current.lock() = None;
    Ok(())
}

/// Reads and empties the file of printed text.
fn take_printed(file: &File) -> io::Result<Option<String>> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(None);
    }
    let from = length.saturating_sub(PRINTED);
    let mut bytes = vec![0; usize::try_from(length - from).unwrap_or_default()];
    file.read_exact_at(&mut bytes, from)?;
    file.set_len(0)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// A request, in the format that a worker reads.
#[cfg(feature = "spark")]
pub(crate) fn request_of(frames: &[Vec<u8>]) -> Vec<u8> {
    let length: usize = frames.iter().map(|frame| 8 + frame.len()).sum();
    let mut request = Vec::with_capacity(8 + length);
    request.extend((length as u64).to_le_bytes());
    for frame in frames {
        request.extend((frame.len() as u64).to_le_bytes());
        request.extend(frame);
    }
    request
}

/// The frames of the next answer including its end; `None` if it is incomplete.
#[cfg(feature = "spark")]
pub(crate) fn next_answer<'a>(answers: &mut &'a [u8]) -> Option<&'a [u8]> {
    let whole = *answers;
    loop {
        let (length, rest) = answers.split_first_chunk()?;
        let length = u64::from_le_bytes(*length);
        if length == END {
            *answers = rest;
            return whole.get(..whole.len() - rest.len() - size_of_val(&END));
        }
        *answers = rest.get(usize::try_from(length).ok()?..)?;
    }
}

/// The original stdout of this process.
#[derive(Clone)]
struct Out(Arc<Mutex<BufWriter<File>>>);

impl Out {
    fn lock(&self) -> MutexGuard<'_, BufWriter<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends an answer.
    fn end(&mut self) -> io::Result<()> {
        let mut out = self.lock();
        out.write_all(&END.to_le_bytes())?;
        out.flush()
    }

    /// Writes the count after the last answer.
    fn close(&mut self, count: u64) -> io::Result<()> {
        let mut out = self.lock();
        out.write_all(&count.to_le_bytes())?;
        out.flush()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().flush()
    }
}

#[cfg(all(test, feature = "spark"))]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
        vec(vec(any::<u8>(), 0..20), 0..5)
    }

    proptest! {
        #[test]
        fn written_answers_are_read_back_one_by_one(answers in vec(frames(), 0..10), cut in 0_usize..7) {
            let mut written = Vec::new();
            for frames in &answers {
                for frame in frames {
                    wire::write(&mut written, frame).expect("a `Vec` takes everything");
                }
                written.extend(END.to_le_bytes());
            }
            // An incomplete answer may follow the last complete one.
            wire::write(&mut written, &[1, 2, 3]).expect("a `Vec` takes everything");
            written.truncate(written.len() - cut);
            let mut rest = &*written;
            let come_back: Vec<Vec<Vec<u8>>> = std::iter::from_fn(|| next_answer(&mut rest))
                .map(|mut answer| std::iter::from_fn(|| wire::read(&mut answer).expect("it is there")).collect())
                .collect();
            prop_assert_eq!(come_back, answers);
        }

        #[test]
        fn a_packed_request_is_read_back_unchanged(frames in frames()) {
            let request = request_of(&frames);
            let mut whole = &*request;
            let inside = wire::read(&mut whole).expect("it is there").expect("it is whole");
            prop_assert!(whole.is_empty());
            let mut inside = &*inside;
            let come_back: Vec<Vec<u8>> =
                std::iter::from_fn(|| wire::read(&mut inside).expect("it is there")).collect();
            prop_assert_eq!(come_back, frames);
        }
    }
}
