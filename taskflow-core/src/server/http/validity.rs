//! When a certificate is valid, read from its DER form (RFC 5280, 4.1): of all that it says, this
//! is what the server wants to know about its own.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::base::Timestamp;

/// The time in which a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    /// The last moment.
    pub(super) until: Timestamp,
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The validity of a certificate; `None` if it is not one.
pub(super) fn validity(certificate: &[u8]) -> Option<Validity> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (to_be_signed, _) = expect(certificate, SEQUENCE)?;
    let rest = match element(to_be_signed)? {
        (VERSION, _, rest) => rest,
        _ => to_be_signed,
    };
    let (_, rest) = expect(rest, INTEGER)?;
    let (_algorithm, rest) = expect(rest, SEQUENCE)?;
    let (_issuer, rest) = expect(rest, SEQUENCE)?;
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (from, rest) = time(validity)?;
    let (until, _) = time(rest)?;
    Some(Validity { from, until })
}

/// The tag and the content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // In so many bytes.
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// `YYMMDDHHMMSSZ` from 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    let digits = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, others) = match tag {
        UTC_TIME => {
            let (year, others) = digits.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, others)
        }
        GENERALIZED_TIME => {
            let (year, others) = digits.split_at_checked(4)?;
            (year.parse().ok()?, others)
        }
        _ => return None,
    };
    let part = |index: usize| others.get(2 * index..2 * index + 2)?.parse::<i8>().ok();
    if others.len() != 10 {
        return None;
    }
    let at = DateTime::new(year, part(0)?, part(1)?, part(2)?, part(3)?, part(4)?, 0).ok()?;
    let at = at.to_zoned(TimeZone::UTC).ok().and_then(|at| Timestamp::from_jiff(at.timestamp()));
    // Far ahead is never: some certificates are valid until the end of 9999.
    Some((at.unwrap_or(Timestamp::MAX), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        match content.len() {
            length @ 0..0x80 => bytes.push(length as u8),
            length => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
        }
        bytes.extend(content);
        bytes
    }

    fn certificate(times: &[Vec<u8>], with_version: bool) -> Vec<u8> {
        let version = if with_version { der(VERSION, &der(INTEGER, &[2])) } else { Vec::new() };
        let parts = [
            version,
            der(INTEGER, &[7; 16]),
            der(SEQUENCE, &[0x06, 0x01, 0x2a]),
            der(SEQUENCE, &[0; 200]),
            der(SEQUENCE, &times.concat()),
        ];
        der(SEQUENCE, &[der(SEQUENCE, &parts.concat()), der(SEQUENCE, &[])].concat())
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let utc = |text: &str| der(UTC_TIME, text.as_bytes());
        let generalized = |text: &str| der(GENERALIZED_TIME, text.as_bytes());
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (times, from, until) in [
            ([utc("260102030405Z"), utc("491231235959Z")], "2026-01-02T03:04:05Z", "2049-12-31T23:59:59Z"),
            ([utc("500101000000Z"), generalized("20500101000000Z")], "1950-01-01T00:00:00Z", "2050-01-01T00:00:00Z"),
        ] {
            for with_version in [true, false] {
                let expected = Validity { from: at(from), until: at(until) };
                assert_eq!(validity(&certificate(&times, with_version)), Some(expected));
            }
        }
        let never = certificate(&[utc("260102030405Z"), generalized("99991231235959Z")], true);
        assert_eq!(validity(&never).map(|validity| validity.until), Some(Timestamp::MAX));
    }

    #[test]
    fn what_is_no_time_is_no_validity() {
        let good = der(UTC_TIME, b"260102030405Z");
        for wrong in ["", "Z", "2601020304Z", "261302030405Z", "260102030405", "26010203040aZ", "260102030405+0100"] {
            let wrong = der(UTC_TIME, wrong.as_bytes());
            assert_eq!(validity(&certificate(&[good.clone(), wrong], true)), None);
        }
    }

    proptest! {
        #[test]
        fn bytes_that_are_no_certificate_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let whole = certificate(&[der(UTC_TIME, b"260102030405Z"), der(UTC_TIME, b"260102030405Z")], true);
            let cut = &whole[..bytes.len().min(whole.len())];
            prop_assert_eq!(validity(cut), None);
            prop_assert_eq!(validity(&bytes), None);
        }
    }
}
