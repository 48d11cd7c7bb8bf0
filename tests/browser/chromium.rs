//! One Chromium for the whole test program, and the protocol to drive it (CDP).
//!
//! 1. The browser reads commands from its descriptor 3 and writes answers and events to 4
//!    (`--remote-debugging-pipe`). A shell makes these two from its standard input and output.
//! 2. Messages are JSON, with a zero byte after each. A thread reads them: answers by the id of
//!    their command, events by the session of their page.
//! 3. The operating system closes the pipe when the test program ends, however it ends. Then the
//!    browser ends by itself, and the shell removes its profile.
//!
//! A dialog stops the scripts of its page, so it is dismissed at once; it remains as an event.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};
use taskflow_tests::common::PATIENCE;

/// Starts the browser, and removes its profile and its temporary files when it has ended: it leaves
/// some at times. They lie apart, since the path of a socket is short.
const SHELL: &str = r#"profile=$1; shift; mkdir -p "$profile"; temporary=$(mktemp -d)
TMPDIR="$temporary" "$@" --user-data-dir="$profile" 3<&0 4>&1 </dev/null >/dev/null 2>"$profile/messages"
exec >&- 2>&-; rm -rf "$profile" "$temporary""#;

/// A test has no use for these, and the pages must look the same on each machine.
const FLAGS: [&str; 13] = [
    "--remote-debugging-pipe",
    "--headless",
    // The sandbox refuses to run as root, and nothing but our own pages is shown.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--lang=en-US",
    // As if somebody let their name lead to this machine.
    "--host-resolver-rules=MAP evil.test 127.0.0.1",
];

static BROWSER: LazyLock<Browser> = LazyLock::new(Browser::start);

/// The running browser.
pub(crate) struct Browser {
    commands: Mutex<ChildStdin>,
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    last_id: AtomicU64,
}

#[derive(Default)]
struct Inbox {
    answers: HashMap<u64, Value>,
    /// By session; those of the browser itself have an empty one.
    events: HashMap<String, Vec<Value>>,
    has_ended: bool,
}

/// The browser of this test program. The first call starts it.
pub(crate) fn browser() -> &'static Browser {
    &BROWSER
}

impl Browser {
    #[allow(clippy::zombie_processes, reason = "it ends with this program, whose end closes its pipe")]
    fn start() -> Browser {
        let program = find().unwrap_or_else(|| {
            panic!(
                "the browser tests drive Chromium, and there is no `chromium` on the path; \
                 `cargo xtask test` installs it, or on Debian `apt-get install chromium`"
            )
        });
        let profile = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{}", std::process::id()));
        let mut child = Command::new("sh")
            .args(["-c", SHELL, "sh"])
            .arg(profile)
            .arg(program)
            .args(FLAGS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        let commands = child.stdin.take().expect("it is piped");
        let messages = child.stdout.take().expect("it is piped");
        std::thread::spawn(move || browser().read(messages));
        Browser {
            commands: Mutex::new(commands),
            inbox: Mutex::default(),
            arrived: Condvar::new(),
            last_id: AtomicU64::new(0),
        }
    }

    /// Sends a command to a page, or to the browser itself if the session is empty, and waits for
    /// its answer.
    ///
    /// # Errors
    ///
    /// The message of the browser.
    #[allow(clippy::needless_pass_by_value, reason = "callers make the parameters with `json!`")]
    pub(crate) fn call(&self, session: &str, method: &str, params: Value) -> Result<Value, String> {
        let id = self.send(session, method, params);
        let mut answer = self.wait(method, |inbox| inbox.answers.remove(&id));
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {error}")),
            None => Ok(answer["result"].take()),
        }
    }

    /// Waits for the first event of a session from number `from` on for which `wanted` returns
    /// something. `what` is for the message when it does not come.
    pub(crate) fn event<T>(&self, session: &str, from: usize, what: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        self.wait(what, |inbox| inbox.events.get(session)?.iter().skip(from).find_map(&wanted))
    }

    /// The events of a session from number `from` on.
    pub(crate) fn events(&self, session: &str, from: usize) -> Vec<Value> {
        self.inbox().events.get(session).map_or_else(Vec::new, |events| events[from.min(events.len())..].to_vec())
    }

    pub(crate) fn count_events(&self, session: &str) -> usize {
        self.inbox().events.get(session).map_or(0, Vec::len)
    }

    pub(crate) fn forget(&self, session: &str) {
        self.inbox().events.remove(session);
    }

    #[allow(clippy::needless_pass_by_value, reason = "as for `call`")]
    fn send(&self, session: &str, method: &str, params: Value) -> u64 {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !session.is_empty() {
            message["sessionId"] = session.into();
        }
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        // If it has ended, the reader says so.
        let _ = commands.write_all(format!("{message}\0").as_bytes());
        id
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(&self, what: &str, mut look: impl FnMut(&mut Inbox) -> Option<T>) -> T {
        let start = Instant::now();
        let mut inbox = self.inbox();
        loop {
            if let Some(found) = look(&mut inbox) {
                return found;
            }
            let has_ended = inbox.has_ended;
            let left = PATIENCE.checked_sub(start.elapsed()).filter(|_| !has_ended);
            let Some(left) = left else {
                drop(inbox);
                panic!("{}: {what}", if has_ended { "the browser has ended" } else { "the browser does not answer" });
            };
            inbox = self.arrived.wait_timeout(inbox, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn read(&self, messages: impl Read) {
        let mut messages = BufReader::new(messages);
        let mut message = Vec::new();
        while messages.read_until(0, &mut message).is_ok_and(|length| length > 0) {
            let end = message.len() - usize::from(message.ends_with(&[0]));
            if let Ok(message) = serde_json::from_slice(&message[..end]) {
                self.receive(message);
            }
            message.clear();
        }
        self.inbox().has_ended = true;
        self.arrived.notify_all();
    }

    fn receive(&self, message: Value) {
        if let Some(id) = message["id"].as_u64() {
            self.inbox().answers.insert(id, message);
        } else {
            let session = message["sessionId"].as_str().unwrap_or_default().to_owned();
            if message["method"] == "Page.javascriptDialogOpening" {
                let _ = self.send(&session, "Page.handleJavaScriptDialog", json!({ "accept": false }));
            }
            self.inbox().events.entry(session).or_default().push(message);
        }
        self.arrived.notify_all();
    }
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.is_file())
}
