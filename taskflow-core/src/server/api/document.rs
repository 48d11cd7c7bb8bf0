//! Responses: JSON documents with an `ETag`, and parts of texts.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::server::call::Call;
use crate::server::json;
use crate::server::problem::Problem;
use crate::server::routes::Answer;

/// A document as the command line prints it. For a request that reads, with an `ETag`: a client
/// that has it gets 304.
pub(super) fn document(call: &Call, document: &impl Serialize) -> Answer {
    let json = written(document)?;
    Ok(tagged(&call.headers, "application/json", json))
}

/// The answer to a request that has changed something.
pub(in crate::server) fn changed(status: StatusCode, document: &impl Serialize) -> Answer {
    let json = written(document)?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], json).into_response())
}

fn written(document: &impl Serialize) -> Result<Vec<u8>, Problem> {
    let json = json::pretty(document).map_err(|error| Problem::internal(&error))?;
    Ok(json.into_bytes())
}

/// A content with an `ETag` that is a checksum of it.
pub(super) fn tagged(request: &HeaderMap, media_type: &'static str, content: Vec<u8>) -> Response {
    let tag = tag(&content);
    let mut response = match is_known(request.get(header::IF_NONE_MATCH), &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, media_type)], content).into_response(),
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// A content of which the client may want a part: `Range: bytes=100-`. `If-Range` with an old tag
/// gets the whole.
pub(in crate::server) fn ranged(request: &HeaderMap, media_type: &'static str, content: Vec<u8>) -> Response {
    let whole = content.len() as u64;
    let (mut response, sent) = ranged_head(request, media_type, &tag(&content), whole);
    *response.body_mut() = match sent {
        Some((0, to)) if to == whole => Body::from(content),
        Some((from, to)) => Body::from(content[from as usize..to as usize].to_vec()),
        None => return response,
    };
    response
}

/// The same for a content that is not held, with its tag and its length: the response without its
/// body, and from which to before which byte that is. `None`: the response is whole.
pub(super) fn ranged_head(
    request: &HeaderMap,
    media_type: &'static str,
    tag: &str,
    whole: u64,
) -> (Response, Option<(u64, u64)>) {
    let wanted = request.get(header::RANGE).and_then(|range| range.to_str().ok());
    let is_current = request.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == tag.as_bytes());
    let range = wanted.filter(|_| is_current).map(|range| part(range, whole));
    let (mut response, sent) = match range {
        Some(Part::Bytes(from, to)) => {
            let about = format!("bytes {from}-{}/{whole}", to - 1);
            let headers = [(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_RANGE, about)];
            ((StatusCode::PARTIAL_CONTENT, headers, Body::empty()).into_response(), Some((from, to)))
        }
        Some(Part::Outside) => {
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("there are {whole} bytes"));
            (problem.header(header::CONTENT_RANGE, format!("bytes */{whole}")).into_response(), None)
        }
        Some(Part::Ignored) | None => {
            let (mut response, sent) = match is_known(request.get(header::IF_NONE_MATCH), tag) {
                true => (StatusCode::NOT_MODIFIED.into_response(), None),
                false => (([(header::CONTENT_TYPE, media_type)], Body::empty()).into_response(), Some((0, whole))),
            };
            if let Ok(tag) = HeaderValue::from_str(tag) {
                response.headers_mut().insert(header::ETAG, tag);
            }
            (response, sent)
        }
    };
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    (response, sent)
}

fn tag(content: &[u8]) -> String {
    format!("\"{}\"", digest(content, 12))
}

/// The first bytes of a checksum, as hexadecimal digits.
pub(in crate::server) fn digest(bytes: &[u8], length: usize) -> String {
    Sha256::digest(bytes).iter().take(length).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `If-None-Match` has the tag.
pub(in crate::server) fn is_known(known: Option<&HeaderValue>, tag: &str) -> bool {
    let known = known.and_then(|known| known.to_str().ok()).unwrap_or_default();
    known.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == tag || known == "*")
}

/// A part of a content.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// From the first to before the second.
    Bytes(u64, u64),
    /// None of its bytes.
    Outside,
    /// Not understood, or of several parts: the whole.
    Ignored,
}

/// The part that `bytes=..` means.
fn part(range: &str, whole: u64) -> Part {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Part::Ignored;
    };
    let number = |text: &str| text.parse::<u64>().ok().filter(|_| !text.starts_with('+'));
    let (from, to) = match (from, to) {
        ("", last) => match number(last) {
            Some(last) => (whole.saturating_sub(last), whole),
            None => return Part::Ignored,
        },
        (from, "") => match number(from) {
            Some(from) => (from, whole),
            None => return Part::Ignored,
        },
        (from, to) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => (from, to.saturating_add(1).min(whole)),
            _ => return Part::Ignored,
        },
    };
    if from < to { Part::Bytes(from, to) } else { Part::Outside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_part_of_the_whole() {
        for (range, expected) in [
            ("bytes=0-9", Part::Bytes(0, 10)),
            ("bytes=90-", Part::Bytes(90, 100)),
            ("bytes=90-1000", Part::Bytes(90, 100)),
            ("bytes=-10", Part::Bytes(90, 100)),
            ("bytes=-1000", Part::Bytes(0, 100)),
            ("bytes=100-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=9-0", Part::Ignored),
            ("bytes=0-1,5-6", Part::Ignored),
            ("bytes=+1-2", Part::Ignored),
            ("lines=1-2", Part::Ignored),
            ("bytes=18446744073709551615-", Part::Outside),
            ("bytes=99999999999999999999-", Part::Ignored),
        ] {
            assert_eq!(part(range, 100), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Outside);
    }

    #[test]
    fn a_tag_is_recognised() {
        let known = |text: &'static str| is_known(Some(&HeaderValue::from_static(text)), "\"a\"");
        assert!(known("\"a\"") && known("\"b\", W/\"a\"") && known("*"));
        assert!(!known("\"b\"") && !known("a") && !is_known(None, "\"a\""));
    }
}
