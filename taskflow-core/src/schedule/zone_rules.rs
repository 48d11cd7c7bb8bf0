//! The rules of a time zone, to notice when a new build has others.

use serde::{Deserialize, Serialize};

use super::zone::Zone;
use crate::base::Timestamp;

/// The rules that a program has for a time zone, as a number that differs between different rules.
///
/// The name of a zone says nothing about its rules: a program that was built with a newer time zone
/// database may have a slot an hour earlier under the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRules {
    /// The IANA name of the zone.
    pub zone: String,
    /// A digest of when its clocks change from 2020 to 2050, and by how much.
    pub digest: u64,
}

impl ZoneRules {
    /// The rules of a zone.
    pub fn of(zone: &Zone) -> Self {
        // 2020-01-01 and 2050-01-01. The years are fixed, so that the digest depends on no clock.
        let [from, to] =
            [1_577_836_800, 2_524_608_000].map(|second: i64| Timestamp::from_nanos(second * 1_000_000_000));
        let changes = std::iter::once(from).chain(zone.changes(from, to));
        let bytes = changes.flat_map(|change| {
            let offset = i64::from(zone.offset(change).seconds());
            change.as_nanos().to_be_bytes().into_iter().chain(offset.to_be_bytes())
        });
        ZoneRules { zone: zone.name().to_owned(), digest: stable_hash(bytes) }
    }
}

/// FNV-1a: stable over versions of Rust and of taskflow.
pub(super) fn stable_hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// States in stores have the digest: it must not change with the code.
    #[test]
    fn the_digest_of_a_zone_is_stable() {
        let digest = |name| ZoneRules::of(&Zone::named(name).unwrap()).digest;
        assert_eq!(digest("UTC"), 13_453_467_613_332_111_125);
        assert_ne!(digest("Europe/Berlin"), digest("America/New_York"));
        assert_eq!(digest("Europe/Berlin"), digest("Europe/Madrid"), "the same rules under two names");
    }
}
