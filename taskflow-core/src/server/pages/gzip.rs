//! Compression of what is sent.

use std::io::Write as _;

use axum::http::{HeaderMap, header};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Whether a client understands gzip. What it says of gzip counts, and otherwise what it says of
/// all codings.
pub(super) fn is_accepted(request: &HeaderMap) -> bool {
    let values = request.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    let (mut gzip, mut others) = (None, None);
    for coding in values.flat_map(|value| value.split(',')) {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let quality = quality.trim().strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok());
        let is_accepted = Some(quality.is_none_or(|quality| quality > 0.0));
        match name.trim() {
            "gzip" => gzip = is_accepted,
            "*" => others = is_accepted,
            _ => {}
        }
    }
    gzip.or(others).unwrap_or(false)
}

pub(super) fn compressed(content: &[u8], level: Compression) -> Option<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), level);
    // Writing to memory does not fail.
    gzip.write_all(content).and_then(|()| gzip.finish()).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_accept_it() {
        let accepts = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
            is_accepted(&headers)
        };
        assert!(["gzip", "deflate, gzip;q=0.5", "br, *", "gzip ; q=1", "*;q=0, gzip"].into_iter().all(accepts));
        assert!(
            !["", "br", "gzip;q=0", "gzip;q=0.0, br", "xgzip", "gzip;q=0, *", "*, gzip;q=0"].into_iter().any(accepts)
        );
        assert!(!is_accepted(&HeaderMap::new()));
    }
}
