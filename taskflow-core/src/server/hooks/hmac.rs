//! HMAC-SHA256 (RFC 2104), and the comparison of its results.

use std::hint::black_box;

use sha2::{Digest, Sha256};

const BLOCK: usize = 64;

/// The bytes of a signature.
pub(super) type Mac = [u8; 32];

/// The HMAC of the parts, one after the other.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Mac {
    let mut block = [0; BLOCK];
    match key.len() > BLOCK {
        true => block[..32].copy_from_slice(&Sha256::digest(key)),
        false => block[..key.len()].copy_from_slice(key),
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36));
    let inner = parts.iter().fold(inner, Sha256::chain_update).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// Whether two are equal. The time that it takes does not say where they differ.
pub(super) fn is_equal(one: &Mac, other: &Mac) -> bool {
    let difference = one.iter().zip(other).fold(0, |difference, (one, other)| black_box(difference | (one ^ other)));
    black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex;

    /// The test vectors of RFC 4231, without the fifth, which is cut.
    #[test]
    fn the_results_are_those_of_the_standard() {
        let counting: Vec<u8> = (1..=25).collect();
        let vectors: [(&[u8], &[u8], &str); 6] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (&counting, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. The key needs \
                  to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, text, expected) in vectors {
            assert_eq!(hex(&hmac_sha256(key, &[text])), expected);
            let (head, tail) = text.split_at(3);
            assert_eq!(hex(&hmac_sha256(key, &[head, b"", tail])), expected, "in parts");
        }
    }

    #[test]
    fn signatures_are_equal_in_every_bit() {
        let one = hmac_sha256(b"key", &[b"text"]);
        let same = one;
        assert!(is_equal(&one, &same));
        for bit in 0..256 {
            let mut other = one;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_equal(&one, &other), "{bit}");
        }
    }
}
