//! The side of a worker: many attempts in one process, one after the other.
//!
//! 1. Whoever starts it writes *requests* to its stdin: eight bytes of length, and as many bytes, which are the
//!    [order](super::wire::Order) and the inputs of an attempt, a frame each. A length of zero says that there are no more.
//! 2. It answers on its stdout, in the same order: the frames of what an attempt says, as the process of an isolated task would
//!    say them, and behind them the length [`END`]. One such length stands before all answers: the worker is there.
//! 3. It ends with 0 when everything is answered, with 2 when it was started by somebody who does not want a worker. Any other end
//!    means that the attempt under way took the process with it.
//! 4. When its stdin is closed before it has answered, nobody waits for it any more: it kills its process group and so itself.
//!
//! What tasks print to stdout comes out of stderr, since stdout is taken. [`MARK`] stands there behind what each attempt has printed, and is
//! written before the end of its answer.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, mpsc};

use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group};
use tokio::runtime::Runtime;
use tracing::level_filters::LevelFilter;

use super::child::{Link, call, find};
use super::wire::{self, Order, Word};
use crate::log::relay;
use crate::panics::{self, QUIET};
use crate::task::AttemptControl;

/// The length that no frame has.
const END: u64 = u64::MAX;
/// What no text has in it.
const MARK: &[u8] = b"\0taskflow\0";

/// Answers what comes in through stdin. The exit code of the process.
pub(crate) fn serve_many() -> i32 {
    if io::stdin().is_terminal() {
        eprintln!("error: this is how Spark starts the workers of taskflow; there is nothing to do for one here");
        return 2;
    }
    match work() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: a worker cannot do its work: {error}");
            1
        }
    }
}

fn work() -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())?;
    let own = |stream: io::Result<std::os::fd::OwnedFd>| stream.map(File::from).map_err(text);
    let (requests, answers) =
        (own(io::stdin().as_fd().try_clone_to_owned())?, own(io::stdout().as_fd().try_clone_to_owned())?);
    let nothing = File::open("/dev/null").map_err(text)?;
    rustix::stdio::dup2_stdin(nothing).map_err(|error| error.to_string())?;
    rustix::stdio::dup2_stdout(io::stderr()).map_err(|error| error.to_string())?;

    let answered = Arc::new(AtomicBool::new(false));
    let requests = listen(requests, Arc::clone(&answered)).map_err(text)?;
    let mut out = Out(Arc::new(Mutex::new(answers)));
    out.end().map_err(text)?;
    panics::install_hook();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().map_err(text)?;
    let current = Current::default();
    let worked = requests.into_iter().try_for_each(|request| {
        answer(&request, &out, &current, &runtime)?;
        // Nobody may be there to read it.
        let _ = io::stderr().write_all(MARK);
        out.end().map_err(text)
    });
    answered.store(true, Ordering::SeqCst);
    // Tasks may have left something on the runtime that never ends.
    runtime.shutdown_background();
    worked
}

/// Reads ahead, so that the end of whoever has started us is seen while a task runs.
fn listen(mut requests: File, answered: Arc<AtomicBool>) -> io::Result<mpsc::Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new().name("taskflow-requests".to_owned()).spawn(move || {
        while let Ok(Some(request)) = wire::read(&mut requests) {
            if request.is_empty() {
                // Nothing more comes; but then the stream stays open until everything is answered.
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

/// Ends this process and what its tasks have started.
fn end_all() {
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    std::process::exit(1);
}

/// Where records go: to the attempt under way.
#[derive(Clone, Default)]
struct Current(Arc<Mutex<Option<Link>>>);

impl Current {
    fn lock(&self) -> MutexGuard<'_, Option<Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(request: &[u8], out: &Out, current: &Current, runtime: &Runtime) -> Result<(), String> {
    static RELAY: Once = Once::new();

    let mut rest = request;
    let mut next = || wire::read(&mut rest).ok().flatten();
    let order: Order = wire::decode(&next().ok_or("a request has no order")?)?;
    let inputs: Option<Vec<Vec<u8>>> = (0..order.inputs).map(|_| next()).collect();
    let inputs = inputs.ok_or("a request has not all of its inputs")?;
    QUIET.store(order.quiet, Ordering::Relaxed);
    RELAY.call_once(|| {
        let to = current.clone();
        relay::relay(order.level.parse().unwrap_or(LevelFilter::INFO), move |record| {
            let link = to.lock().clone();
            if let (Some(link), Ok(json)) = (link, serde_json::to_string(&record)) {
                link.say(&Word::Record(json));
            }
        });
    });

    let link = Link::new(out.clone());
    *current.lock() = Some(link.clone());
    let control = Arc::new(AttemptControl::default());
    match find(&order) {
        Ok(def) => {
            let ending = call(def, &order, &inputs, &link, &control, runtime);
            if let Some((done, total)) = control.progress() {
                link.say(&Word::Progress { done, total });
            }
            link.end_with(def, ending);
        }
        Err(failure) => link.end(&Word::Failed(failure)),
    }
    *current.lock() = None;
    Ok(())
}

/// The stdout that this process was given.
#[derive(Clone)]
struct Out(Arc<Mutex<File>>);

impl Out {
    fn lock(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that belongs to an answer has been said.
    fn end(&mut self) -> io::Result<()> {
        self.lock().write_all(&END.to_le_bytes())
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
