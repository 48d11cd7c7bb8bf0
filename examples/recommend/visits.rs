//! Derives the visits of each day from a log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

use super::log::{self, Request};
use super::model::Visit;

/// The requests of one day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Day {
    pub date: String,
    pub requests: Vec<Request>,
}

/// Reads the log, plain or gzipped, and groups its requests by day (UTC).
#[task(blocking)]
pub fn days(log: &str) -> Result<Vec<Day>> {
    let mut days: BTreeMap<String, Vec<Request>> = BTreeMap::new();
    for request in log::read(Path::new(log))?.requests {
        let date = request.time.strftime("%Y-%m-%d").to_string();
        days.entry(date).or_default().push(request);
    }
    Ok(days.into_iter().map(|(date, requests)| Day { date, requests }).collect())
}

/// Keeps successful requests for pages, and removes clients that read robots.txt.
#[task]
pub fn pages_read(day: Day) -> Day {
    let robots: BTreeSet<String> =
        day.requests.iter().filter(|r| r.path == "/robots.txt").map(|r| r.ip.clone()).collect();
    let is_read = |r: &Request| r.method == "GET" && matches!(r.status, 200 | 304) && is_page(&r.path);
    let requests = day.requests.into_iter().filter(|r| is_read(r) && !robots.contains(&r.ip));
    Day { date: day.date, requests: requests.collect() }
}

/// The visits of a day. A visit ends when the visitor (address and user agent) pauses for longer
/// than `idle_min` minutes. Visits of one page are omitted, because they say nothing about pages
/// read together.
#[task]
pub fn sessions(day: &Day, idle_min: u32) -> Vec<Visit> {
    let idle = SignedDuration::from_mins(idle_min.into());
    let mut requests: Vec<&Request> = day.requests.iter().collect();
    requests.sort_by_key(|r| (&r.ip, &r.agent, r.time));
    let mut visits: Vec<Visit> = Vec::new();
    let mut last: Option<&Request> = None;
    for request in requests {
        let continues = last.is_some_and(|last| {
            (&last.ip, &last.agent) == (&request.ip, &request.agent) && request.time.duration_since(last.time) <= idle
        });
        if !continues {
            visits.push(Visit::new());
        }
        let page = request.path.split(['?', '#']).next().unwrap_or_default();
        if let Some(visit) = visits.last_mut()
            && !visit.iter().any(|read| read == page)
        {
            visit.push(page.to_owned());
        }
        last = Some(request);
    }
    visits.retain(|visit| visit.len() > 1);
    visits
}

fn is_page(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let file = path.rsplit('/').next().unwrap_or(path);
    match file.rsplit_once('.') {
        Some((_, extension)) => ["html", "xhtml", "php"].contains(&extension),
        None => true,
    }
}
