//! A service over a temporary home, and a client that sends what it is told.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use taskflow_tests::binaries::{ProgramOutput, call_at, program_with_signals};
use taskflow_tests::common::{PATIENCE, eventually};
use tempfile::TempDir;

/// A service that answers HTTP requests.
pub(crate) struct Service {
    directory: TempDir,
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it has printed up to its address.
    pub(crate) printed: String,
    /// What it prints after that, line by line.
    later: Mutex<Receiver<String>>,
}

/// A body that comes in chunks, without their lengths.
pub(crate) struct Chunks {
    body: BufReader<TcpStream>,
    /// How much of the present chunk is to come.
    left: usize,
}

impl Read for Chunks {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let mut length = String::new();
        while self.left == 0 {
            // A chunk ends with an empty line. The last one is empty, and the connection ends.
            if self.body.read_line(&mut length)? == 0 {
                return Ok(0);
            }
            if !length.trim().is_empty() {
                self.left = usize::from_str_radix(length.trim(), 16).map_err(io::Error::other)?;
            }
            length.clear();
        }
        let most = part.len().min(self.left);
        let read = self.body.read(&mut part[..most])?;
        self.left -= read;
        Ok(read)
    }
}

/// The response to a request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    /// The values of all `Set-Cookie`, of which `headers` has the last one.
    #[cfg(feature = "oidc")]
    pub(crate) cookies: Vec<String>,
    pub(crate) body: String,
}

/// `serve` over the home in a directory.
pub(crate) fn command(directory: &Path) -> Command {
    command_of("server", directory)
}

/// A command that is passed a socket, as `sd_listen_fds(3)` describes it.
#[allow(dead_code, reason = "the tests of the API use it")]
pub(crate) fn passed(socket: &TcpListener, serve: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@""#]);
    shell.arg(serve.get_program()).args(serve.get_args());
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let socket = socket.try_clone().expect("a socket has several handles");
    shell.stdin(OwnedFd::from(socket)).stdout(Stdio::null()).stderr(Stdio::piped());
    shell
}

/// `serve` of a fixture over the home in a directory.
fn command_of(program: &str, directory: &Path) -> Command {
    let mut command = serve(program, directory);
    command.arg("--no-schedule");
    command
}

/// The same, with the schedules and the consumers of events.
fn serve(program: &str, directory: &Path) -> Command {
    let mut command = program_with_signals(program);
    command.arg("serve").env("TASKFLOW_HOME", directory.join("home"));
    command.env("SERVER_GATE", directory.join("gate")).env_remove("TASKFLOW_BIND");
    command.env("SERVES_HOLD", directory.join("hold"));
    // An attempt has an eighth of it: enough for the longest log, so that no record is dropped.
    command.env("TASKFLOW_LOG_QUEUE_RECORDS", "65536");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Service {
    pub(crate) fn new() -> Self {
        Service::with(&["--bind", "127.0.0.1:0"])
    }

    /// A service with these flags.
    pub(crate) fn with(flags: &[&str]) -> Self {
        Service::over(tempfile::tempdir().expect("temporary directories can be made"), flags)
    }

    /// A service over a home that exists.
    pub(crate) fn over(directory: TempDir, flags: &[&str]) -> Self {
        Service::of("server", directory, flags)
    }

    /// A service of a fixture over a home that may exist.
    pub(crate) fn of(program: &str, directory: TempDir, flags: &[&str]) -> Self {
        let command = command_of(program, directory.path());
        Service::start(command, directory, flags)
    }

    /// A service of a fixture or an example that is started in a directory, over an empty home
    /// there.
    #[allow(dead_code, reason = "the tests of the API use the rest")]
    pub(crate) fn started_in(directory: TempDir, program: &str) -> Self {
        let mut command = command_of(program, directory.path());
        command.current_dir(directory.path());
        Service::start(command, directory, &["--bind", "127.0.0.1:0"])
    }

    /// The directory of the home, the gate and whatever a test keeps beside them.
    #[allow(dead_code, reason = "the tests of the API use the rest")]
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A service of a fixture with these variables in its environment.
    pub(crate) fn with_environment(program: &str, directory: TempDir, variables: &[(&str, &str)]) -> Self {
        let mut command = command_of(program, directory.path());
        command.envs(variables.iter().copied());
        Service::start(command, directory, &["--bind", "127.0.0.1:0"])
    }

    /// A service that also starts the runs of schedules and events.
    pub(crate) fn with_schedules() -> Self {
        Service::with_schedules_of("server")
    }

    /// The same, of a fixture.
    pub(crate) fn with_schedules_of(program: &str) -> Self {
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        Service::start(serve(program, directory.path()), directory, &["--bind", "127.0.0.1:0"])
    }

    /// The same, of some of its DAGs and with a clock that [`move_clock`](Service::move_clock)
    /// moves.
    #[cfg(feature = "failpoints")]
    pub(crate) fn with_a_clock_of(program: &str, only: &str) -> Self {
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        let mut command = serve(program, directory.path());
        command.env("TASKFLOW_CLOCK", directory.path().join("clock"));
        Service::start(command, directory, &["--bind", "127.0.0.1:0", "--only", only])
    }

    /// Moves its clock, by seconds from that of the machine.
    #[cfg(feature = "failpoints")]
    pub(crate) fn move_clock(&self, seconds: i64) {
        let [next, clock] = ["clock.next", "clock"].map(|name| self.directory.path().join(name));
        std::fs::write(&next, seconds.to_string()).and_then(|()| std::fs::rename(next, clock)).expect("it is a file");
    }

    /// The same, with the schedule of one DAG of a fixture whose tasks do not end.
    #[allow(dead_code, reason = "the tests of the pages use the rest")]
    pub(crate) fn held(program: &str, dag: &str) -> Self {
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        std::fs::write(directory.path().join("hold"), "").expect("temporary files can be written");
        let flags = ["--only", dag, "--bind", "127.0.0.1:0"];
        Service::start(serve(program, directory.path()), directory, &flags)
    }

    /// A service whose reluctant tasks do not end before [`let_go`](Service::let_go), and have the
    /// time that this takes.
    #[allow(dead_code, reason = "the tests of the pages use the rest")]
    pub(crate) fn reluctant() -> Self {
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        std::fs::write(directory.path().join("hold"), "").expect("temporary files can be written");
        Service::with_environment("server", directory, &[("TASKFLOW_GRACE", "10m")])
    }

    /// Lets them end.
    #[allow(dead_code, reason = "the tests of the pages use the rest")]
    pub(crate) fn let_go(&self) {
        std::fs::remove_file(self.directory.path().join("hold")).expect("it is there");
    }

    /// A service with a socket that is passed to it, as systemd does.
    #[allow(dead_code, reason = "the tests of the API use it")]
    pub(crate) fn on(socket: &TcpListener, directory: TempDir) -> Self {
        let command = passed(socket, &command(directory.path()));
        Service::start(command, directory, &[])
    }

    fn start(mut command: Command, directory: TempDir, flags: &[&str]) -> Self {
        let mut child = command.args(flags).spawn().expect("a built program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let mut printed = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it does not listen: {printed}")).expect("it is UTF-8");
            printed += &format!("{line}\n");
            let listens = line.strip_prefix("listening on ").and_then(|rest| rest.split_once("://"));
            let address = listens.map(|(_, rest)| rest.split([',', '/']).next().unwrap_or_default());
            if let Some(address) = address {
                break address.trim().parse().expect("an address");
            }
        };
        // A pipe that nobody reads would stop it.
        let (sender, later) = mpsc::channel();
        std::thread::spawn(move || lines.for_each(|line| drop(sender.send(line.unwrap_or_default()))));
        Service { directory, child, address, printed, later: Mutex::new(later) }
    }

    /// The next line that it prints.
    pub(crate) fn next_line(&mut self) -> String {
        self.later.get_mut().expect("no test panics with it").recv_timeout(PATIENCE).expect("it prints a line")
    }

    /// What it has printed since, without waiting.
    pub(crate) fn lines_so_far(&mut self) -> Vec<String> {
        self.later.get_mut().expect("no test panics with it").try_iter().collect()
    }

    /// The next line that it prints with this text.
    #[cfg(feature = "tls")]
    pub(crate) fn next_line_with(&mut self, text: &str) -> String {
        std::iter::repeat_with(|| self.next_line()).find(|line| line.contains(text)).expect("lines do not end")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// Lets the tasks `gate` succeed from now on.
    pub(crate) fn open_gate(&self) {
        std::fs::write(self.directory.path().join("gate"), "").expect("temporary files can be written");
    }

    /// What the command line says about the home.
    pub(crate) fn call(&self, words: &[&str]) -> ProgramOutput {
        self.call_of("server", words)
    }

    /// The same, of a fixture.
    pub(crate) fn call_of(&self, program: &str, words: &[&str]) -> ProgramOutput {
        call_at(&self.home(), program, words)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], "")
    }

    /// The document at an address, which is there.
    #[track_caller]
    pub(crate) fn json(&self, path: &str) -> Value {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {response:?}");
        response.json()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.send("POST", path, &[("content-type", "application/json")], &body.to_string())
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("content-length: {}\r\n", body.len());
        }
        self.raw(format!("{head}\r\n{body}").as_bytes())
    }

    /// Sends bytes, and reads until the connection ends. Of a stream of events, which may never
    /// end, it reads the head.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Response {
        let mut stream = self.connect();
        // The server may answer and close before it has read all.
        let _ = stream.write_all(bytes);
        let (mut answer, mut part) = (Vec::new(), [0; 64 * 1024]);
        while let Ok(read @ 1..) = stream.read(&mut part) {
            answer.extend_from_slice(&part[..read]);
            let has_head = answer.windows(4).take(4096).any(|four| four == b"\r\n\r\n");
            if has_head && Response::parse(&answer).header("content-type").starts_with("text/event-stream") {
                break;
            }
        }
        Response::parse(&answer)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a time limit");
        stream
    }

    /// Asks for a stream, and returns its head, and its body as it comes.
    #[track_caller]
    pub(crate) fn stream(&self, path: &str, headers: &[(&str, &str)]) -> (String, BufReader<Chunks>) {
        let mut socket = self.connect();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", self.address);
        socket.write_all(request.as_bytes()).expect("it listens");
        let (mut body, mut head) = (BufReader::new(socket), String::new());
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(body.read_line(&mut head).expect("a head is text"), 0, "{head}");
        }
        (head, BufReader::new(Chunks { body, left: 0 }))
    }

    /// Starts a run, and returns its number.
    #[track_caller]
    pub(crate) fn trigger(&self, dag: &str, params: &Value) -> i64 {
        let response = self.post(&format!("/api/v1/dags/{dag}/runs"), &serde_json::json!({ "params": params }));
        assert_eq!(response.status, 201, "{response:?}");
        response.json()["number"].as_i64().expect("a number")
    }

    /// Waits until a run has a state.
    pub(crate) fn wait(&self, run: i64, state: &str) {
        eventually(&format!("run {run} is {state}"), || self.json(&format!("/api/v1/runs/{run}"))["state"] == state);
    }

    /// The id of its process.
    #[allow(dead_code, reason = "the tests of the pages use it")]
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is running");
    }

    /// Waits for its end, and returns its exit code.
    pub(crate) fn wait_for_end(&mut self) -> Option<i32> {
        self.child.wait().expect("a child can be waited for").code()
    }

    /// Asks it to stop, and returns its exit code and its home.
    pub(crate) fn stop(mut self) -> (Option<i32>, TempDir) {
        self.signal(Signal::TERM);
        let code = self.wait_for_end();
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().expect("a directory"));
        (code, directory)
    }
}

/// Changes the store of a home, and returns how many rows that were.
#[allow(dead_code, reason = "the tests of the pages use the rest")]
pub(crate) fn sql(home: &Path, statement: &str) -> u64 {
    use sqlx::Connection as _;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.join("taskflow.db"));
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("it can be opened");
        let done = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
        done.expect("it can be written").rows_affected()
    })
}

/// A body without the lengths of its chunks. One that is broken off is left as it is.
fn unchunked(body: &str) -> String {
    let (mut text, mut rest) = (String::new(), body);
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap_or(usize::MAX);
        match (length, after.get(..length), after.get(length..).and_then(|rest| rest.strip_prefix("\r\n"))) {
            (0, ..) => return text,
            (_, Some(chunk), Some(next)) => {
                text += chunk;
                rest = next;
            }
            _ => break,
        }
    }
    body.to_owned()
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Response {
    pub(crate) fn parse(answer: &[u8]) -> Self {
        let text = String::from_utf8_lossy(answer);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers: Vec<(String, String)> = lines.filter_map(header).collect();
        let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        Response {
            status,
            #[cfg(feature = "oidc")]
            cookies: headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.clone()).collect(),
            headers: headers.into_iter().collect(),
            body: match is_chunked {
                true => unchunked(body),
                false => body.to_owned(),
            },
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Checks that it is a problem document with this status, and a sentence that has this text.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(text)), "{text}: {problem}");
        assert!(problem["request_id"].is_string(), "{problem}");
    }
}
