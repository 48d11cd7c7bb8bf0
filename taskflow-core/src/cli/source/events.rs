//! The events of a stream of a service, over connections that are lost.
//!
//! 1. A connection asks for what follows the last event that was received. The service sends
//!    exactly that, so a connection that breaks costs nothing but time.
//! 2. A service that has nothing to say sends a comment every 15 seconds. One that is silent for
//!    three times as long is not there any more, whatever the network says.
//! 3. After a connection is lost, and when the service is about to end or has no room, the next one
//!    is tried after the pause that the service has asked for. If no event and no comment comes for
//!    a minute, the stream fails with what went wrong last: nothing waits for ever for a service
//!    that is gone.
//! 4. The event `end` ends the stream. What the service refuses, such as a run that was deleted
//!    meanwhile, ends it with the error.

use std::time::{Duration, Instant};

use axum::http::StatusCode;

use super::client::{Client, Opened};
use crate::cli::error::CliError;

/// How long a service may be silent before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(45);
/// How long a service may be away.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pauses before another connection: the first one, and the longest one that a service gets.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);
/// The most bytes of an event: a service that sends more, without an end, is none of ours.
const MOST: usize = 64 << 20;

/// The events of a stream.
pub(in crate::cli) struct Events<'c> {
    client: &'c Client,
    path: String,
    query: Vec<(&'static str, String)>,
    connection: Option<Connection>,
    /// The place after the last event.
    place: Option<String>,
    pause: Duration,
    /// When the service last sent an event or a comment.
    heard: Instant,
}

struct Connection {
    body: Opened,
    parser: Parser,
}

impl<'c> Events<'c> {
    pub(super) fn new(client: &'c Client, path: String, query: Vec<(&'static str, String)>) -> Self {
        Events { client, path, query, connection: None, place: None, pause: PAUSE, heard: Instant::now() }
    }

    /// Waits for the data of the next event; `None` after the last one.
    pub(in crate::cli) fn next(&mut self) -> Result<Option<String>, CliError> {
        loop {
            let lost = match self.connection.take() {
                None => self.connect()?,
                Some(connection) => match self.read(connection) {
                    Read::Event(data) => return Ok(Some(data)),
                    Read::End => return Ok(None),
                    Read::Goes => None,
                    Read::Lost(why) => Some(why),
                },
            };
            if let Some(why) = lost {
                if self.heard.elapsed() + self.pause >= PATIENCE {
                    return Err(self.client.unreachable(&why));
                }
                std::thread::sleep(self.pause);
            }
        }
    }

    /// Connects; returns why it does not work now.
    fn connect(&mut self) -> Result<Option<String>, CliError> {
        let opened = match self.client.open(&self.path, &self.query, self.place.as_deref(), SILENCE) {
            Ok(opened) => opened,
            Err(why) => return Ok(Some(why)),
        };
        if opened.status().is_success() {
            self.connection = Some(Connection { body: opened, parser: Parser::default() });
            return Ok(None);
        }
        let passes = matches!(
            opened.status(),
            StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::GATEWAY_TIMEOUT
        );
        if !passes {
            return Err(self.client.refusal(opened));
        }
        if let Some(after) = opened.retry_after() {
            self.pause = after.clamp(PAUSE, LONGEST);
        }
        Ok(Some(format!("it answers {}", opened.status())))
    }

    /// Reads the next event, or more of it.
    fn read(&mut self, mut connection: Connection) -> Read {
        while let Some(item) = connection.parser.next() {
            match item {
                Item::Retry(pause) => self.pause = pause.clamp(PAUSE, LONGEST),
                Item::Comment => self.heard = Instant::now(),
                Item::Event { id, name, data } => {
                    self.heard = Instant::now();
                    self.place = id.or(self.place.take());
                    match &*name {
                        "" => {
                            self.connection = Some(connection);
                            return Read::Event(data);
                        }
                        "end" => return Read::End,
                        "bye" => return Read::Lost("the service is about to end".to_owned()),
                        _ => {}
                    }
                }
            }
        }
        match connection.body.read(self.client, SILENCE) {
            Ok(bytes) if bytes.is_empty() => Read::Lost("the connection has ended".to_owned()),
            Ok(bytes) => {
                connection.parser.push(&bytes);
                if connection.parser.is_too_long() {
                    return Read::Lost(format!("an event of it has more than {} MiB", MOST >> 20));
                }
                self.connection = Some(connection);
                Read::Goes
            }
            Err(why) => Read::Lost(why),
        }
    }
}

enum Read {
    Event(String),
    End,
    /// There is more to read.
    Goes,
    Lost(String),
}

/// One item of a stream.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    Event { id: Option<String>, name: String, data: String },
    Comment,
    Retry(Duration),
}

/// Parses server-sent events.
#[derive(Debug, Default)]
struct Parser {
    /// What was received and not parsed, and how much of its beginning was.
    bytes: Vec<u8>,
    parsed: usize,
    /// Up to where there is no end of a line behind it.
    searched: usize,
    id: Option<String>,
    name: String,
    data: Option<String>,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) {
        let parsed = std::mem::take(&mut self.parsed);
        self.bytes.drain(..parsed);
        self.searched = self.searched.saturating_sub(parsed);
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether an event that is not complete has more bytes than one has.
    fn is_too_long(&self) -> bool {
        self.bytes.len() - self.parsed + self.data.as_ref().map_or(0, String::len) > MOST
    }

    /// The next line, if it is complete.
    fn line(&mut self) -> Option<String> {
        let searched = self.searched.max(self.parsed);
        let Some(end) = self.bytes[searched..].iter().position(|byte| *byte == b'\n') else {
            // A long line is not searched again with each part of it.
            self.searched = self.bytes.len();
            return None;
        };
        let line = &self.bytes[self.parsed..searched + end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = String::from_utf8_lossy(line).into_owned();
        self.parsed = searched + end + 1;
        Some(line)
    }

    /// The next item, if all of it was received.
    fn next(&mut self) -> Option<Item> {
        loop {
            let line = self.line()?;
            if line.is_empty() {
                let (id, name) = (self.id.take(), std::mem::take(&mut self.name));
                match self.data.take() {
                    Some(data) => return Some(Item::Event { id, name, data }),
                    None => continue,
                }
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => return Some(Item::Comment),
                "id" => self.id = Some(value.to_owned()),
                "event" => value.clone_into(&mut self.name),
                "data" => match &mut self.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => self.data = Some(value.to_owned()),
                },
                "retry" => {
                    if let Ok(millis) = value.parse() {
                        return Some(Item::Retry(Duration::from_millis(millis)));
                    }
                }
                _ => {}
            }
        }
    }
}

/// For fuzzing: parses the parts of a stream.
pub(super) fn read_any(bytes: &[u8]) {
    let mut parser = Parser::default();
    for part in bytes.chunks(7) {
        parser.push(part);
        while parser.next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line that does not end, and one event whose lines do not end.
    #[test]
    fn an_event_without_an_end_is_too_long() {
        let mut parser = Parser::default();
        parser.push(&vec![b'x'; MOST]);
        assert_eq!((parser.next(), parser.is_too_long()), (None, false));
        parser.push(b"x");
        assert!(parser.is_too_long());
        let (mut parser, mut lines) = (Parser::default(), b"data: ".to_vec());
        lines.resize(MOST / 2 + 10, b'x');
        lines.push(b'\n');
        for is_too_long in [false, true] {
            parser.push(&lines);
            assert_eq!((parser.next(), parser.is_too_long()), (None, is_too_long));
        }
        parser.push(b"\n");
        assert!(parser.next().is_some() && !parser.is_too_long(), "it was complete, and another one begins");
    }

    #[test]
    fn events_are_the_same_wherever_a_connection_cuts_their_bytes() {
        let text =
            "retry: 1000\n\n:\n\nid: 7\ndata: {\"a\":\"é\"}\ndata: b\n\nevent: end\r\ndata:{}\r\n\r\nid: 8\ndata: la";
        let event = |id: Option<&str>, name: &str, data: &str| Item::Event {
            id: id.map(str::to_owned),
            name: name.to_owned(),
            data: data.to_owned(),
        };
        let expected = [
            Item::Retry(Duration::from_secs(1)),
            Item::Comment,
            event(Some("7"), "", "{\"a\":\"é\"}\nb"),
            event(None, "end", "{}"),
        ];
        for cut in 0..=text.len() {
            let (mut parser, mut items) = (Parser::default(), Vec::new());
            for part in [&text.as_bytes()[..cut], &text.as_bytes()[cut..]] {
                parser.push(part);
                items.extend(std::iter::from_fn(|| parser.next()));
            }
            assert_eq!(items, expected, "cut at {cut}");
        }
    }
}
