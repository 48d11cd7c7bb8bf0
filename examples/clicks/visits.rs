//! Derives sessions, pages and referrers from requests.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::log::Request;

/// Consecutive requests of one visitor, without a long pause.
#[derive(Debug, Serialize, Deserialize)]
pub struct Session {
    pub ip: String,
    pub agent: String,
    pub start: Timestamp,
    pub end: Timestamp,
    pub requests: u32,
}

/// Groups requests into sessions. A session ends when its visitor (address and user agent) is idle
/// for longer than `idle`.
pub fn sessions(requests: &[Request], idle: SignedDuration) -> Vec<Session> {
    // A server writes a line when the response is complete, so lines are not sorted by time.
    let mut requests: Vec<&Request> = requests.iter().collect();
    requests.sort_by_key(|r| (&r.ip, &r.agent, r.time));

    let mut sessions: Vec<Session> = Vec::new();
    for Request { ip, agent, time, .. } in requests {
        match sessions.last_mut() {
            Some(s) if s.ip == *ip && s.agent == *agent && time.duration_since(s.end) <= idle => {
                s.end = *time;
                s.requests += 1;
            }
            _ => sessions.push(Session { ip: ip.clone(), agent: agent.clone(), start: *time, end: *time, requests: 1 }),
        }
    }
    sessions
}

/// The page that was read: the path of a successful `GET`, except for images, scripts and other
/// files.
pub fn page(request: &Request) -> Option<&str> {
    let found = request.method == "GET" && matches!(request.status, 200 | 304);
    let path = request.path.split(['?', '#']).next()?;
    (found && is_page(path)).then_some(path)
}

fn is_page(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    match file.rsplit_once('.') {
        Some((_, extension)) => ["html", "xhtml", "php"].contains(&extension),
        None => true,
    }
}

/// The host of the referrer, unless it is `site` itself.
pub fn referrer<'a>(request: &'a Request, site: &str) -> Option<&'a str> {
    let (_scheme, rest) = request.referrer.split_once("://")?;
    let host = rest.split(['/', '?', ':']).next()?;
    (host.strip_prefix("www.").unwrap_or(host) != site).then_some(host)
}

/// The hour of the day (UTC).
pub fn hour(request: &Request) -> i64 {
    request.time.as_second() / 3600 % 24
}
