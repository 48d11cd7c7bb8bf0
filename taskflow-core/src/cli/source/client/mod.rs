//! Requests to a service, and its answers.
//!
//! 1. [`Client::connect`] asks `/version` who answers: only a service with this version of the API
//!    is used.
//! 2. A request has a time limit, the media type of JSON, and the token of `TASKFLOW_TOKEN` if it
//!    is encrypted or stays on this machine.
//! 3. An answer is a document, or a problem document: then the verb fails with its sentence, and
//!    with the exit code that the error has on the machine of the service.
//!
//! `http` is spoken by hyper, which the server has brought: it costs a program nothing. `https`
//! needs the feature `http`, whose client has TLS.

mod connection;
mod encrypted;
mod reply;

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

pub(super) use self::connection::Opened;
use self::connection::{exchange, next_page};
use self::encrypted::encrypted;
use self::reply::{Problem, Reply};
use super::super::error::CliError;
use super::address::Address;
use super::events::Events;
use crate::base::text::one_line;
use crate::run::RunType;

/// The version of the API that this program speaks.
const API: u64 = 1;
/// How long a connection may take, and how long an answer. A request may wait for the end of a run
/// for a minute.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(120);
/// What stands in a segment as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A service that answers requests.
#[derive(Debug)]
pub(in crate::cli) struct Client {
    address: Address,
    shown: String,
    is_flag: bool,
    token: Option<String>,
    /// The version of taskflow that answers.
    version: String,
    runtime: Runtime,
}

#[derive(Debug, Deserialize)]
struct Version {
    api: u64,
    taskflow: String,
}

/// A segment of an address.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

impl Client {
    /// The service at an address, which must answer.
    pub(super) fn connect(address: &str, is_flag: bool) -> Result<Self, CliError> {
        let address = Address::parse(address)?;
        let token = std::env::var("TASKFLOW_TOKEN").ok().filter(|token| !token.is_empty());
        if token.is_some() && !address.is_https && !address.is_loopback() {
            let shown = address.text();
            return Err(CliError::usage(format!(
                "TASKFLOW_TOKEN is not sent to {shown}, because others could read it on its way; use https, or an SSH \
                 tunnel to the machine"
            )));
        }
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| CliError::Failure(format!("cannot send a request: {error}")))?;
        let shown = address.text();
        let mut client = Client { address, shown, is_flag, token, version: String::new(), runtime };
        let reply = client.request("GET", "/version", &[], None, &[])?;
        let unknown = || {
            let (shown, status) = (&client.shown, reply.status);
            CliError::Failure(format!("{shown} is no taskflow server: it answers {status} at {shown}/api/v1/version"))
        };
        if !reply.status.is_success() {
            // Such as a server that does not know the token.
            return Err(if reply.is_problem() { reply.error(&client) } else { unknown() });
        }
        let version: Version = serde_json::from_slice(&reply.body).map_err(|_| unknown())?;
        if version.api != API {
            return Err(CliError::Failure(format!(
                "{} runs taskflow {} with version {} of the API, and this program has taskflow {} with version {API}; \
                 use a program of the same version as the server",
                client.shown,
                one_line(&version.taskflow),
                version.api,
                env!("CARGO_PKG_VERSION"),
            )));
        }
        client.version = version.taskflow;
        Ok(client)
    }

    /// The address, for messages.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether nobody else can read what is sent: it is encrypted, or stays on this machine.
    pub(super) fn is_private(&self) -> bool {
        self.address.is_https || self.address.is_loopback()
    }

    /// The flag that names it, if the command line does.
    pub(super) fn flags(&self) -> Vec<String> {
        if self.is_flag { vec!["--server".to_owned(), self.shown.clone()] } else { Vec::new() }
    }

    /// The document at an address below `/api/v1`.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, CliError> {
        let reply = self.good(self.request("GET", path, query, None, &[])?)?;
        self.read(&reply.body)
    }

    /// The entries of the list at an address below `/api/v1`, page by page; at most so many.
    pub(super) fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        most: usize,
    ) -> Result<Vec<T>, CliError> {
        let mut all: Vec<T> = Vec::new();
        self.each_page(path, query, &mut |page: Vec<T>| {
            let is_last = page.is_empty() || all.len() + page.len() >= most;
            all.extend(page);
            Ok(!is_last)
        })?;
        all.truncate(most);
        Ok(all)
    }

    /// Calls a function with each page of the list at an address below `/api/v1`, until it returns
    /// `false`.
    pub(super) fn each_page<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        each: &mut dyn FnMut(Vec<T>) -> Result<bool, CliError>,
    ) -> Result<(), CliError> {
        let mut reply = self.good(self.request("GET", path, query, None, &[])?)?;
        loop {
            let goes_on = each(self.read(&reply.body)?)?;
            let Some(next) = reply.next.filter(|_| goes_on) else { return Ok(()) };
            let root = format!("{}/api/v1", self.address.base);
            let elsewhere = || self.unreadable(&format!("the next page is at {}", one_line(&next)));
            let path = next.strip_prefix(&*root).ok_or_else(elsewhere)?;
            reply = self.good(self.request("GET", path, &[], None, &[])?)?;
        }
    }

    /// The text at an address below `/api/v1`.
    pub(super) fn text(&self, path: &str, query: &[(&str, String)]) -> Result<String, CliError> {
        let reply = self.good(self.request("GET", path, query, None, &[])?)?;
        String::from_utf8(reply.body).map_err(|error| self.unreadable(&error))
    }

    /// Sends a change, with the token of a preview if there is one.
    pub(super) fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, String)],
        body: &Value,
        preview: Option<&str>,
    ) -> Result<T, CliError> {
        let headers: Vec<(&str, String)> = preview.iter().map(|token| ("if-match", format!("\"{token}\""))).collect();
        let reply = self.good(self.request(method, path, query, Some(body), &headers)?)?;
        self.read(&reply.body)
    }

    /// Asks for a preview, and for its token if the header has it.
    pub(super) fn preview<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        body: &Value,
    ) -> Result<(T, String), CliError> {
        let reply = self.good(self.request("POST", path, query, Some(body), &[])?)?;
        Ok((self.read(&reply.body)?, reply.tag))
    }

    /// The name of a run as addresses have it: a number or a whole id, also of a unique part of an
    /// id, and of `last`.
    pub(super) fn run_name(&self, name: &str) -> Result<String, CliError> {
        if name == "last" {
            // That of a home: the newest run that no task has triggered.
            let run_types = [RunType::Manual, RunType::Scheduled, RunType::Backfill, RunType::Event];
            let run_types = run_types.map(RunType::name).join(",");
            let runs: Vec<Value> = self.get("/runs", &[("run_type", run_types), ("limit", "1".to_owned())])?;
            let number = runs.first().and_then(|run| run["number"].as_i64());
            let none = || CliError::Failure(format!("no runs yet at {}: `trigger` starts the first", self.shown));
            return number.map(|number| number.to_string()).ok_or_else(none);
        }
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(name.to_owned());
        }
        // With this header, a run that there is has no document.
        let any = [("if-none-match", "*".to_owned())];
        let reply = self.request("GET", &format!("/runs/{}", segment(name)), &[], None, &any)?;
        if reply.status == StatusCode::NOT_FOUND
            && let Some(Problem { candidates, .. }) = reply.problem()
            && let [only] = &*candidates
            && only.contains(name)
        {
            return Ok(only.clone());
        }
        if reply.status == StatusCode::NOT_MODIFIED {
            return Ok(name.to_owned());
        }
        self.good(reply).map(|_| name.to_owned())
    }

    fn good(&self, reply: Reply) -> Result<Reply, CliError> {
        if reply.status.is_success() { Ok(reply) } else { Err(reply.error(self)) }
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, CliError> {
        serde_json::from_slice(body).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> CliError {
        CliError::Failure(format!(
            "the answer of {} (taskflow {}) cannot be read by this program (taskflow {}): {error}",
            self.shown,
            one_line(&self.version),
            env!("CARGO_PKG_VERSION")
        ))
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
        headers: &[(&str, String)],
    ) -> Result<Reply, CliError> {
        let read = || {
            let mut bytes = Vec::new();
            if let Some(body) = body {
                bytes = serde_json::to_vec(body).map_err(|error| error.to_string())?;
            }
            let is_json = body.is_some().then(|| ("content-type", "application/json".to_owned()));
            let headers: Vec<_> = headers.iter().cloned().chain(is_json).collect();
            let deadline = Instant::now() + ANSWER;
            self.ask(method, path, query, bytes, &headers, None)?.reply(self, deadline)
        };
        read().map_err(|why: String| self.unreachable(&why))
    }

    /// The events of a stream, from its beginning, over connections that are lost.
    pub(super) fn events(&self, path: String, query: Vec<(&'static str, String)>) -> Events<'_> {
        Events::new(self, path, query)
    }

    /// Opens a stream after a place. It may be silent so long.
    pub(super) fn open(
        &self,
        path: &str,
        query: &[(&str, String)],
        after: Option<&str>,
        silence: Duration,
    ) -> Result<Opened, String> {
        let after = after.map(|place| ("last-event-id", place.to_owned()));
        self.ask("GET", path, query, Vec::new(), &after.into_iter().collect::<Vec<_>>(), Some(silence))
    }

    /// The error of a stream that the service refuses.
    pub(super) fn refusal(&self, opened: Opened) -> CliError {
        match opened.reply(self, Instant::now() + ANSWER) {
            Ok(reply) => reply.error(self),
            Err(why) => self.unreachable(&why),
        }
    }

    /// The error of a service that does not answer.
    pub(super) fn unreachable(&self, why: &str) -> CliError {
        CliError::Failure(format!("{} cannot be asked: {why}; is `serve` running there?", self.shown))
    }

    /// Sends a request, and reads the head of the answer. The answer is a stream that may be silent
    /// so long, or is to be there in time.
    fn ask(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, String)],
        body: Vec<u8>,
        headers: &[(&str, String)],
        silence: Option<Duration>,
    ) -> Result<Opened, String> {
        let mut target = format!("{}/api/v1{path}", self.address.base);
        for (place, (name, value)) in query.iter().enumerate() {
            target.push(if place == 0 { '?' } else { '&' });
            target += &format!("{name}={}", segment(value));
        }
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if self.address.is_https {
            return encrypted(&self.address, &target, request, body, silence);
        }
        let request = request.uri(target).header(header::HOST, &self.address.authority).body(Body::from(body));
        self.runtime.block_on(exchange(&self.address, request.map_err(|error| error.to_string())?))
    }
}

/// For fuzzing: reads a text as parts of an answer.
pub(super) fn read_any(text: &str) {
    let _ = (serde_json::from_str::<Version>(text), serde_json::from_str::<Problem>(text));
    let _ = next_page(text);
}
