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

use std::pin::Pin;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode, header, response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::super::error::CliError;
use super::super::format;
use super::address::Address;
use super::events::Events;
use crate::base::text::one_line;

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

/// An answer.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    media_type: String,
    /// The address of the next page, of a list that has one.
    next: Option<String>,
    body: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct Version {
    api: u64,
    taskflow: String,
}

/// What is read of a problem document.
#[derive(Debug, Deserialize)]
struct Problem {
    detail: String,
    #[serde(default)]
    candidates: Vec<String>,
    next: Option<String>,
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
        let mut reply = self.good(self.request("GET", path, query, None, &[])?)?;
        loop {
            let page: Vec<T> = self.read(&reply.body)?;
            let is_last = page.is_empty() || all.len() + page.len() >= most;
            all.extend(page);
            let Some(next) = reply.next.filter(|_| !is_last) else { break };
            let root = format!("{}/api/v1", self.address.base);
            let elsewhere = || self.unreadable(&format!("the next page is at {}", one_line(&next)));
            let path = next.strip_prefix(&*root).ok_or_else(elsewhere)?;
            reply = self.good(self.request("GET", path, &[], None, &[])?)?;
        }
        all.truncate(most);
        Ok(all)
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

    /// The name of a run as addresses have it: a number or a whole id, also of a unique part of an
    /// id, and of `last`.
    pub(super) fn run_name(&self, name: &str) -> Result<String, CliError> {
        if name == "last" {
            let runs: Vec<Value> = self.get("/runs", &[("limit", "1".to_owned())])?;
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

/// An answer whose head was read.
pub(super) struct Opened {
    head: response::Parts,
    body: Unread,
}

/// The rest of an answer.
enum Unread {
    /// On a connection of its own, which ends with it.
    Plain { body: Incoming, _conversation: Conversation },
    #[cfg(feature = "http")]
    Encrypted(ureq::BodyReader<'static>),
}

/// Ends a connection that nobody reads any more.
struct Conversation(tokio::task::JoinHandle<Result<(), hyper::Error>>);

impl Drop for Conversation {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How much of an encrypted answer is read at once.
#[cfg(feature = "http")]
const PART: usize = 64 * 1024;

fn late() -> String {
    "there was no answer in time".to_owned()
}

impl Opened {
    pub(super) fn status(&self) -> StatusCode {
        self.head.status
    }

    /// How long the service asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.head.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        seconds.parse().ok().map(Duration::from_secs)
    }

    /// Waits for the next bytes; none at the end. An encrypted connection has a time limit of its
    /// own.
    pub(super) fn read(&mut self, client: &Client, most: Duration) -> Result<Vec<u8>, String> {
        match &mut self.body {
            Unread::Plain { body, .. } => client.runtime.block_on(async {
                let frames =
                    std::future::poll_fn(|context| hyper::body::Body::poll_frame(Pin::new(&mut *body), context));
                match tokio::time::timeout(most, frames).await.map_err(|_| late())? {
                    None => Ok(Vec::new()),
                    // Trailers are no bytes.
                    Some(Ok(frame)) => Ok(frame.into_data().map(Into::into).unwrap_or_default()),
                    Some(Err(error)) => Err(error.to_string()),
                }
            }),
            #[cfg(feature = "http")]
            Unread::Encrypted(body) => {
                let mut bytes = vec![0; PART];
                let read = std::io::Read::read(body, &mut bytes).map_err(|error| error.to_string())?;
                bytes.truncate(read);
                Ok(bytes)
            }
        }
    }

    /// Reads the rest.
    fn reply(mut self, client: &Client, deadline: Instant) -> Result<Reply, String> {
        let mut body = Vec::new();
        loop {
            let part = self.read(client, deadline.saturating_duration_since(Instant::now()))?;
            if part.is_empty() {
                break;
            }
            body.extend(part);
        }
        let header = |name| self.head.headers.get(name).and_then(|value| value.to_str().ok());
        let link = header(header::LINK).and_then(|link| link.strip_prefix('<')?.strip_suffix(">; rel=\"next\""));
        let next = link.map(str::to_owned);
        let media_type = header(header::CONTENT_TYPE).unwrap_or_default().to_owned();
        Ok(Reply { status: self.head.status, media_type, next, body })
    }
}

/// Sends a request and reads the head of the answer, on a connection of its own.
async fn exchange(address: &Address, request: Request<Body>) -> Result<Opened, String> {
    let stream = tokio::net::TcpStream::connect((&*address.host, address.port));
    let stream = tokio::time::timeout(CONNECT, stream).await.map_err(|_| late())?;
    let stream = stream.map_err(|error| error.to_string())?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let conversation = Conversation(tokio::spawn(connection));
    let answered = tokio::time::timeout(ANSWER, sender.send_request(request)).await.map_err(|_| late())?;
    let (head, body) = answered.map_err(|error| error.to_string())?.into_parts();
    Ok(Opened { head, body: Unread::Plain { body, _conversation: conversation } })
}

#[cfg(feature = "http")]
fn encrypted(
    address: &Address,
    target: &str,
    request: axum::http::request::Builder,
    body: Vec<u8>,
    silence: Option<Duration>,
) -> Result<Opened, String> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(silence)
        .timeout_global(silence.is_none().then_some(ANSWER));
    let config = match authorities()? {
        Some(roots) => config.tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build()).build(),
        None => config.build(),
    };
    let request = request.uri(format!("https://{}{target}", address.authority)).body(body);
    let request = request.map_err(|error| error.to_string())?;
    let response = ureq::Agent::from(config).run(request).map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    Ok(Opened { head, body: Unread::Encrypted(body.into_with_config().limit(u64::MAX).reader()) })
}

/// The authorities in the file of `SSL_CERT_FILE`, as other programs have it, such as that of a
/// certificate of one's own; in place of those that browsers trust.
#[cfg(feature = "http")]
fn authorities() -> Result<Option<ureq::tls::RootCerts>, String> {
    use ureq::tls::PemItem;

    let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) else { return Ok(None) };
    let path = std::path::PathBuf::from(path);
    let cannot = |reason: String| format!("SSL_CERT_FILE: {}: {reason}", path.display());
    let text = std::fs::read(&path).map_err(|error| cannot(error.to_string()))?;
    let items = ureq::tls::parse_pem(&text).filter_map(Result::ok);
    let authorities: Vec<_> = items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    match authorities.is_empty() {
        true => Err(cannot("it has no certificate in PEM".to_owned())),
        false => Ok(Some(ureq::tls::RootCerts::new_with_certs(&authorities))),
    }
}

#[cfg(not(feature = "http"))]
fn encrypted(
    _: &Address,
    _: &str,
    _: axum::http::request::Builder,
    _: Vec<u8>,
    _: Option<Duration>,
) -> Result<Opened, String> {
    Err("this program is built without the feature `http`, which has TLS; an SSH tunnel needs none".to_owned())
}

impl Reply {
    fn is_problem(&self) -> bool {
        self.media_type.starts_with("application/problem+json")
    }

    fn problem(&self) -> Option<Problem> {
        if self.is_problem() { serde_json::from_slice(&self.body).ok() } else { None }
    }

    /// The error that the answer is.
    fn error(&self, client: &Client) -> CliError {
        let Some(Problem { detail, candidates, next }) = self.problem() else {
            return CliError::Failure(format!("{} answers {}, without a reason", client.shown, self.status));
        };
        let mut message = detail;
        match &*candidates {
            [] => {}
            [only] => message += &format!("; did you mean `{only}`?"),
            several => message += &format!("; there are {}", format::some(several, 10)),
        }
        if let Some(next) = next {
            message += &format!("; {next}");
        }
        let message = one_line(&message).into_owned();
        let is_usage = self.status.is_client_error()
            && !matches!(
                self.status,
                StatusCode::UNAUTHORIZED
                    | StatusCode::FORBIDDEN
                    | StatusCode::REQUEST_TIMEOUT
                    | StatusCode::MISDIRECTED_REQUEST
                    | StatusCode::TOO_MANY_REQUESTS
            );
        if self.status == StatusCode::CONFLICT {
            return CliError::Conflict(message);
        }
        if is_usage { CliError::usage(message) } else { CliError::Failure(message) }
    }
}
