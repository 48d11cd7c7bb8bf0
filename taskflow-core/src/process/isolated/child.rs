//! The child of an isolated task: runs one attempt and exits.

use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Signal, getppid, kill_current_process_group};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Instrument as _;
use tracing::level_filters::LevelFilter;

use super::memory;
use super::remote_host::RemoteHost;
use super::wire::{self, AttemptRequest, Frame};
use crate::base::{Failure, QUIET, catch, panics};
use crate::dag::Registry;
use crate::log::{Redactor, attempt_span, relay};
use crate::task::{self, AttemptControl, Identity, Inputs, Kind, Outcome, TaskContext, TaskDef};

/// The interval between progress reports.
const PACE: Duration = Duration::from_millis(100);

/// Runs the attempt received on stdin; returns the exit code of the process.
pub(crate) fn serve() -> i32 {
    let Some(socket) = socket() else {
        eprintln!(
            "error: taskflow starts the processes of isolated tasks with this command; it does nothing when called by \
             hand"
        );
        return 2;
    };
    match attempt(socket) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: the process of an isolated task failed: {error}");
            1
        }
    }
}

/// Stdin, if it is a socket.
fn socket() -> Option<UnixStream> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    socket.local_addr().ok()?;
    Some(socket)
}

fn attempt(mut socket: UnixStream) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::HUP)).map_err(|error| error.to_string())?;
    let request = wire::read(&mut socket).map_err(text)?.ok_or("its parent has sent nothing")?;
    let request: AttemptRequest = wire::decode(&request)?;
    if has_lost_parent(request.parent) {
        return Err("its parent has died".to_owned());
    }
    let mut frames = Vec::new();
    for _ in 0..request.inputs {
        frames.push(wire::read(&mut socket).map_err(text)?.ok_or("its parent has not sent everything")?);
    }
    // The task's stdin is empty, and processes it starts do not inherit the socket.
    let nothing = std::fs::File::open("/dev/null").map_err(text)?;
    rustix::stdio::dup2_stdin(nothing).map_err(|error| error.to_string())?;
    watch(socket.try_clone().map_err(text)?).map_err(text)?;
    if let Some(bytes) = request.memory {
        memory::limit(bytes).map_err(|error| format!("its memory limit cannot be set: {error}"))?;
    }
    let link = Link::new(socket);
    link.send(&Frame::Entered);

    let to_log = link.clone();
    let level = request.level.parse().unwrap_or(LevelFilter::INFO);
    relay::relay(level, move |record| {
        if let Ok(json) = serde_json::to_string(&record) {
            to_log.send(&Frame::Record(json));
        }
    });
    QUIET.store(request.quiet, Ordering::Relaxed);
    panics::install_hook();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().map_err(text)?;
    work(&request, &frames, &link, &runtime);
    // Tasks may have left work on the runtime that never ends.
    runtime.shutdown_background();
    Ok(())
}

fn has_lost_parent(parent: i32) -> bool {
    getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent)
}

/// Kills the whole group when the parent closes the socket, which also happens when it dies. The
/// parent sends nothing more.
fn watch(mut socket: UnixStream) -> io::Result<()> {
    std::thread::Builder::new().name("taskflow-parent".to_owned()).spawn(move || {
        let _ = io::copy(&mut socket, &mut io::sink());
        let _ = kill_current_process_group(Signal::KILL);
    })?;
    Ok(())
}

fn work(request: &AttemptRequest, frames: &[Vec<u8>], link: &Link, runtime: &Runtime) {
    let def = match find(request) {
        Ok(def) => def,
        Err(failure) => return link.end(&Frame::Failed(failure)),
    };
    let control = Arc::new(AttemptControl::default());
    let is_uncancellable = !def.takes_context;
    if let Err(error) = runtime.block_on(async { listen(link, &control, is_uncancellable) }) {
        let chain = vec!["its process cannot listen for signals".to_owned(), error.to_string()];
        return link.end(&Frame::Failed(Failure::Error { chain, retryable: true }));
    }
    runtime.spawn(show_progress(Arc::clone(&control), link.clone()));
    let ending = call(def, request, frames, link, &control, runtime);
    link.end_with(def, ending);
}

/// Finds the requested task in this program.
pub(super) fn find(request: &AttemptRequest) -> Result<&'static TaskDef, Failure> {
    static TASKS: LazyLock<Vec<&'static TaskDef>> = LazyLock::new(Registry::tasks);

    let known = TASKS.iter().find(|def| {
        (def.module, def.id) == (&*request.module, &*request.id)
            && (def.location.line, def.location.column) == (request.line, request.column)
    });
    known.copied().ok_or_else(|| {
        let message = format!("its process has no task `{}` in the module `{}`", request.id, request.module);
        Failure::Error { chain: vec![message], retryable: false }
    })
}

/// Calls the task.
pub(super) fn call(
    def: &'static TaskDef,
    request: &AttemptRequest,
    frames: &[Vec<u8>],
    link: &Link,
    control: &Arc<AttemptControl>,
    runtime: &Runtime,
) -> Outcome {
    let identity = Identity {
        run: Arc::new(request.run.clone()),
        task_id: request.task_id.clone(),
        attempt: request.attempt,
        max_attempts: request.max_attempts,
        generation: request.generation,
        // Its options forbid waiting.
        wait_state: None,
        // This process uses its own configuration: it has the environment and the files of its
        // parent.
        config: None,
        around: Arc::new(RemoteHost::new(
            link.clone(),
            &request.task_id,
            request.pulled.clone(),
            request.artifacts.clone(),
        )),
    };
    let span = attempt_span(&request.run.run_id, &request.run.dag_id, &request.task_id, request.attempt);
    let context = def.takes_context.then(|| TaskContext::new(identity, Arc::clone(control)));
    let inputs = || unpack(def, frames);
    match def.kind {
        Kind::Async => {
            runtime.block_on(task::call_async(def, inputs, context, Some(Arc::clone(control))).instrument(span))
        }
        kind => {
            // Blocking tasks otherwise run on threads of a runtime, so they may use its handle.
            let _entered = (kind == Kind::Blocking).then(|| runtime.enter());
            span.in_scope(|| task::call_sync(def, inputs, context.as_ref(), Some(control)))
        }
    }
}

fn unpack(def: &TaskDef, frames: &[Vec<u8>]) -> Result<Inputs, Failure> {
    let mut inputs = Inputs::default();
    for (input, bytes) in def.inputs.iter().zip(frames) {
        let failed = |reason: String| Failure::Error {
            chain: vec![format!("the input `{}` cannot be read in the process of the task", input.name), reason],
            retryable: false,
        };
        inputs.push(input.ty.decode(bytes).map_err(failed)?);
    }
    Ok(inputs)
}

/// SIGTERM cancels the attempt, or ends the process if the task cannot be cancelled. SIGHUP means
/// that the parent is dying and ends the whole group. It is a signal of its own, because it arrives
/// when the first threads of the parent have ended and the parent still has its process id.
fn listen(link: &Link, control: &Arc<AttemptControl>, is_uncancellable: bool) -> io::Result<()> {
    let mut deaths = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        if deaths.recv().await.is_some() {
            let _ = kill_current_process_group(Signal::KILL);
        }
    });
    let mut signals = signal(SignalKind::terminate())?;
    let (link, control) = (link.clone(), Arc::clone(control));
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            control.cancel();
            if is_uncancellable {
                link.end(&Frame::Stopped);
                std::process::exit(0);
            }
        }
    });
    Ok(())
}

async fn show_progress(control: Arc<AttemptControl>, link: Link) {
    let mut shown = None;
    loop {
        tokio::time::sleep(PACE).await;
        let now = control.progress();
        if let (Some((done, total)), true) = (now, now != shown) {
            link.send(&Frame::Progress { done, total });
        }
        shown = now;
    }
}

/// Sends the frames of the child, one at a time, and nothing after the final frame.
#[derive(Clone)]
pub(super) struct Link(Arc<Mutex<Option<Box<dyn Write + Send>>>>);

impl Link {
    pub(super) fn new(to: impl Write + Send + 'static) -> Self {
        Link(Arc::new(Mutex::new(Some(Box::new(to)))))
    }

    pub(super) fn send(&self, frame: &Frame) {
        let Ok(bytes) = wire::encode(frame) else { return };
        if let Some(to) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // A parent that does not read has died or has abandoned the attempt.
            let _ = wire::write(to, &bytes).and_then(|()| to.flush());
        }
    }

    /// Sends the final frame.
    pub(super) fn end(&self, frame: &Frame) {
        self.send_last(frame, None);
    }

    pub(super) fn end_with(&self, def: &TaskDef, ending: Outcome) {
        match ending {
            Outcome::Success(value) => match catch(|| def.output.encode(&value)) {
                Ok(Ok(bytes)) => self.send_last(&Frame::Value, Some(&bytes)),
                Ok(Err(reason)) => self.end(&Frame::Failed(Failure::Error { chain: vec![reason], retryable: false })),
                Err(panic) => self.end(&Frame::Failed(panic)),
            },
            // The parent does not know the secrets of this process.
            Outcome::Skipped(mut reason) => {
                Redactor::current().reason(&mut reason);
                self.end(&Frame::Skipped(reason));
            }
            Outcome::Failed(mut failure) => {
                Redactor::current().failure(&mut failure);
                self.end(&Frame::Failed(*failure));
            }
            Outcome::FailedFor(failed) => {
                let (mut failure, delay) = *failed;
                Redactor::current().failure(&mut failure);
                self.end(&Frame::FailedFor(failure, delay));
            }
            Outcome::Waits(wait) => {
                let message = format!("a task that runs in another process cannot wait ({wait})");
                self.end(&Frame::Failed(Failure::Error { chain: vec![message], retryable: false }));
            }
        }
    }

    fn send_last(&self, frame: &Frame, value: Option<&[u8]>) {
        // Flush the lines of the task before the result, so that they reach the log of the attempt.
        let _ = io::stdout().flush();
        let Ok(bytes) = wire::encode(frame) else { return };
        if let Some(mut to) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let written = wire::write(&mut to, &bytes).and_then(|()| match value {
                Some(value) => wire::write(&mut to, value),
                None => Ok(()),
            });
            if written.is_err() {
                // The parent has died and cannot kill what this process has started.
                let _ = kill_current_process_group(Signal::KILL);
            }
        }
    }
}
