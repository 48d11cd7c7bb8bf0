//! A parser for the Apache combined log format.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use taskflow::Result;

/// The content of a log. Every line is in one of the two lists.
#[derive(Debug, Serialize, Deserialize)]
pub struct Log {
    pub requests: Vec<Request>,
    pub bad: Vec<BadLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub ip: String,
    pub time: Timestamp,
    pub method: String,
    pub path: String,
    pub status: u16,
    pub bytes: u64,
    pub referrer: String,
    pub agent: String,
}

/// An invalid line: its number, the reason, and its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadLine {
    pub line: u64,
    pub reason: String,
    pub text: String,
}

/// Reads a log, plain or gzipped.
pub fn read(path: &Path) -> Result<Log> {
    let file = BufReader::new(File::open(path).map_err(|error| format!("{}: {error}", path.display()))?);
    let gzipped = path.extension().is_some_and(|extension| extension == "gz");
    let lines: Box<dyn BufRead> =
        if gzipped { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) };

    let mut log = Log { requests: Vec::new(), bad: Vec::new() };
    for (number, line) in (1..).zip(lines.split(b'\n')) {
        let line = line.map_err(|error| format!("{}:{number}: {error}", path.display()))?;
        let request = str::from_utf8(&line).map_err(|_| "not UTF-8".into()).and_then(parse);
        match request {
            Ok(request) => log.requests.push(request),
            Err(reason) => {
                let text = String::from_utf8_lossy(&line).into_owned();
                log.bad.push(BadLine { line: number, reason, text });
            }
        }
    }
    Ok(log)
}

/// `ip identity user [time] "METHOD path HTTP/1.1" status bytes "referrer" "agent"`
pub fn parse(line: &str) -> Result<Request, String> {
    let (ip, rest) = field(line, "", " ", "address")?;
    let (_identity, rest) = field(rest, "", " ", "identity")?;
    let (_user, rest) = field(rest, "", " [", "user")?;
    let (time, rest) = field(rest, "", "] ", "time")?;
    let (request, rest) = quoted(rest, "request")?;
    let (status, rest) = field(rest, " ", " ", "status")?;
    let (bytes, rest) = field(rest, "", " ", "bytes")?;
    let (referrer, rest) = quoted(rest, "referrer")?;
    let (agent, rest) = quoted(rest.strip_prefix(' ').unwrap_or(rest), "user agent")?;
    if !rest.trim_end().is_empty() {
        return Err(format!("unexpected text after the user agent: {rest}"));
    }

    let parts: Vec<&str> = request.split(' ').collect();
    let &[method, path, _version] = parts.as_slice() else {
        return Err(format!("request: not \"METHOD path version\": {request}"));
    };
    Ok(Request {
        ip: ip.into(),
        time: Timestamp::strptime("%d/%b/%Y:%H:%M:%S %z", time).map_err(|e| format!("time: {e}"))?,
        method: method.into(),
        path: path.into(),
        status: status.parse().map_err(|e| format!("status: {e}: {status}"))?,
        bytes: if bytes == "-" { 0 } else { bytes.parse().map_err(|e| format!("bytes: {e}: {bytes}"))? },
        referrer: referrer.into(),
        agent: agent.into(),
    })
}

/// Splits `text` after the field between `open` and `close`.
fn field<'a>(text: &'a str, open: &str, close: &str, name: &str) -> Result<(&'a str, &'a str), String> {
    text.strip_prefix(open).and_then(|text| text.split_once(close)).ok_or_else(|| format!("{name}: missing"))
}

/// Splits `text` after its first quoted string, where a backslash escapes the next character.
fn quoted<'a>(text: &'a str, name: &str) -> Result<(&'a str, &'a str), String> {
    let inside = text.strip_prefix('"').ok_or_else(|| format!("{name}: missing"))?;
    let mut escaped = false;
    let end = inside.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let end = end.ok_or_else(|| format!("{name}: no closing quote"))?;
    Ok((&inside[..end], &inside[end + 1..]))
}
