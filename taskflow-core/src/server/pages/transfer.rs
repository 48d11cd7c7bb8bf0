//! How pages are sent: compressed, and not again to a script that has them.
//!
//! 1. A page of a kilobyte and more is compressed for whoever accepts gzip. Streams and files are
//!    not: only whole pages pass here.
//! 2. The length of a compressed page tells an eavesdropper what its text has in common with its
//!    address, which a page of another site can choose (BREACH). So a page that another site has
//!    made a browser ask for is not compressed. Neither is one that no cache may keep, such as that
//!    of tokens. No page has a token against forged requests: see `http::guard` for what is there
//!    instead.
//! 3. A page has a weak `ETag`, the checksum of [what the script takes from it](shown). The script
//!    reads a page again whenever something may have changed, and gets 304 if nothing has. Who
//!    loads a page gets all of it, with the present time.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use hyper::body::{Body as _, Bytes};
use tokio::sync::Semaphore;

use super::gzip;
use super::reply::problem_page;
use crate::server::api::{digest, is_known};
use crate::server::problem::Problem;

/// A page below this size fits into a packet as it is.
const SMALL: usize = 1024;
/// A page above this size is compressed on a thread that may block: that takes milliseconds.
const LARGE: usize = 64 * 1024;
/// How many large pages are compressed at a time: others wait, so that the engine keeps its cores.
static TURNS: Semaphore = Semaphore::const_new(2);

/// What a request says about how its page is sent.
struct Wanted {
    is_read: bool,
    gzip: bool,
    /// The tags of what the script has, if it is the script that asks.
    known: Option<HeaderValue>,
}

impl Wanted {
    fn of(method: &Method, headers: &HeaderMap) -> Self {
        let is_of_another_site =
            headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
        let is_of_script = headers.get("sec-fetch-dest").is_some_and(|kind| kind == "empty");
        Wanted {
            is_read: method.is_safe(),
            gzip: !is_of_another_site && gzip::is_accepted(headers),
            known: headers.get(header::IF_NONE_MATCH).filter(|_| is_of_script).cloned(),
        }
    }
}

/// Around the handlers of pages.
pub(super) async fn send(request: Request, next: Next) -> Response {
    let wanted = Wanted::of(request.method(), request.headers());
    sent(&wanted, next.run(request).await).await
}

/// Whether it is a page that a cache may keep.
fn is_page(response: &Response) -> bool {
    let is = |name: header::HeaderName, value: &str| {
        response.headers().get(name).is_some_and(|own| own.as_bytes().starts_with(value.as_bytes()))
    };
    // The size of what comes in parts is not known.
    let is_whole = response.body().size_hint().exact().is_some();
    is_whole && is(header::CONTENT_TYPE, "text/html") && !is(header::CACHE_CONTROL, "no-store")
}

async fn sent(wanted: &Wanted, response: Response) -> Response {
    if !is_page(&response) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let page = match to_bytes(body, usize::MAX).await {
        Ok(page) => page,
        Err(error) => return problem_page(Problem::internal(&error)),
    };
    head.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if wanted.is_read && head.status == StatusCode::OK {
        let tag = format!("\"{}\"", digest(shown(&String::from_utf8_lossy(&page)).as_bytes(), 12));
        if let Ok(value) = HeaderValue::from_str(&format!("W/{tag}")) {
            head.headers.insert(header::ETAG, value);
        }
        if is_known(wanted.known.as_ref(), &tag) {
            head.status = StatusCode::NOT_MODIFIED;
            head.headers.remove(header::CONTENT_TYPE);
            return Response::from_parts(head, Body::empty());
        }
    }
    if wanted.gzip
        && page.len() >= SMALL
        && let Some(gzip) = compressed(page.clone()).await
    {
        head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return Response::from_parts(head, Body::from(gzip));
    }
    Response::from_parts(head, Body::from(page))
}

async fn compressed(page: Bytes) -> Option<Vec<u8>> {
    let is_large = page.len() > LARGE;
    let compress = move || gzip::compressed(&page, Compression::default());
    if !is_large {
        return compress();
    }
    // Nobody closes it.
    let turn = TURNS.acquire().await.ok()?;
    // A client that goes away does not end what the thread has begun, so the thread has the turn.
    let compress = move || {
        let compressed = compress();
        drop(turn);
        compressed
    };
    // The task fails only if the runtime ends.
    tokio::task::spawn_blocking(compress).await.ok().flatten()
}

/// What the script takes from a page: not when the page was made, in its foot, nor the place of the
/// stream then, nor the texts of times relative to now, which the script writes itself.
fn shown(page: &str) -> String {
    let Some((head, (body, rest))) =
        page.split_once("<body ").and_then(|(head, rest)| Some((head, rest.split_once('>')?)))
    else {
        return page.to_owned();
    };
    let mut shown = String::with_capacity(page.len());
    shown.push_str(head);
    // It is the last attribute. Quotation marks in the others are escaped.
    shown.push_str(body.split(" data-after=\"").next().unwrap_or_default());
    let mut rest = rest.rsplit_once("<footer class=\"foot\">").map_or(rest, |(main, _)| main);
    while let Some((before, after)) = rest.split_once("<time class=\"ago\"") {
        let (time, next) = after.split_once("</time>").unwrap_or((after, ""));
        shown.push_str(before);
        shown.push_str(time.split('>').next().unwrap_or_default());
        rest = next;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use axum::response::{Html, IntoResponse};

    use super::*;

    fn page(place: &str, ago: &str, made: &str, state: &str) -> String {
        format!(
            "<html><body data-live=\"runs\" data-after=\"{place}\"><p>{state} <time class=\"ago\" \
             datetime=\"2026-01-26T06:00:00Z\">{ago}</time> {}</p><footer class=\"foot\">{made}</footer></body>",
            "long ".repeat(300)
        )
    }

    fn asked(headers: &[(&'static str, &str)]) -> Wanted {
        let field = |&(name, value): &(&'static str, &str)| {
            (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        Wanted::of(&Method::GET, &HeaderMap::from_iter(headers.iter().map(field)))
    }

    async fn answer(headers: &[(&'static str, &str)], page: String) -> Response {
        sent(&asked(headers), Html(page).into_response()).await
    }

    fn tag(response: &Response) -> &str {
        response.headers()[header::ETAG].to_str().unwrap()
    }

    #[tokio::test]
    async fn a_script_that_has_a_page_gets_what_has_changed_only() {
        let first = answer(&[], page("7", "2 min ago", "06:02", "running")).await;
        let same = page("9", "3 min ago", "06:03", "running");
        let script = [("sec-fetch-dest", "empty"), ("if-none-match", tag(&first))];
        let known = answer(&script, same.clone()).await;
        assert_eq!((known.status(), tag(&known)), (StatusCode::NOT_MODIFIED, tag(&first)));
        assert_eq!(known.headers()[header::VARY], "Accept-Encoding");
        assert!(!known.headers().contains_key(header::CONTENT_TYPE));
        assert_eq!(known.body().size_hint().exact(), Some(0));
        let changed = answer(&script, page("9", "3 min ago", "06:03", "failed")).await;
        assert_eq!(changed.status(), StatusCode::OK);
        assert_ne!(tag(&changed), tag(&first));
        // Whoever loads a page sees the present time.
        for person in ["document", "iframe"] {
            let loaded = [("sec-fetch-dest", person), ("if-none-match", tag(&first))];
            assert_eq!(answer(&loaded, same.clone()).await.status(), StatusCode::OK);
        }
        assert_eq!(answer(&[("if-none-match", tag(&first))], same).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn only_whole_pages_that_caches_may_keep_are_compressed_and_tagged() {
        let gzip = [("accept-encoding", "gzip")];
        let text = || page("7", "now", "06:02", "running");
        let encoding = |response: &Response| response.headers().get(header::CONTENT_ENCODING).cloned();
        assert_eq!(encoding(&answer(&gzip, text()).await).unwrap(), "gzip");
        assert_eq!(encoding(&answer(&[], text()).await), None);
        assert_eq!(encoding(&answer(&gzip, "<body class=\"bare\">small".to_owned()).await), None);
        let large = answer(&gzip, text().repeat(100)).await;
        assert!(large.body().size_hint().exact().is_some_and(|size| size < 10_000), "{large:?}");
        for site in ["cross-site", "same-site"] {
            let foreign = answer(&[gzip[0], ("sec-fetch-site", site)], text()).await;
            assert_eq!(encoding(&foreign), None, "{site}");
        }
        let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "text/html; charset=utf-8")];
        let secret = (headers, text()).into_response();
        let events = ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], text()).into_response();
        for other in [secret, events] {
            let other = sent(&asked(&gzip), other).await;
            assert!(encoding(&other).is_none() && !other.headers().contains_key(header::ETAG), "{other:?}");
        }
    }
}
