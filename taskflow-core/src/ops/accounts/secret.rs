//! Random secrets: of sessions, tokens and the set-up.
//!
//! A secret has 256 random bits, so its digest need not be slow, and a look-up by the digest tells
//! nothing about it. Only digests are stored.

use sha2::{Digest, Sha256};

use super::error::AccountError;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How many digits 256 bits have in base 62.
const LENGTH: usize = 43;
/// How many digits a checksum has.
const CHECKSUM: usize = 6;
/// What tokens begin with, so that people and scanners recognise them.
const PREFIX: &str = "tf_";

/// Random bytes of the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], AccountError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| AccountError::Random { reason: error.to_string() })?;
    Ok(bytes)
}

/// A new secret: 256 random bits as 43 letters and digits.
pub(crate) fn random_secret() -> Result<String, AccountError> {
    Ok(base62(random::<32>()?, LENGTH))
}

/// The text of a new token: `tf_`, a secret, and a checksum of it.
pub(super) fn new_token() -> Result<String, AccountError> {
    let secret = random_secret()?;
    let checksum = checksum(&secret);
    Ok(format!("{PREFIX}{secret}{checksum}"))
}

/// Whether a text can be a token: a typing error is noticed without asking the store.
pub(super) fn is_token(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(PREFIX) else { return false };
    let is_whole = rest.len() == LENGTH + CHECKSUM && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_whole && checksum(&rest[..LENGTH]) == rest[LENGTH..]
}

/// What is stored of a secret.
pub(crate) fn digest(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether two secrets are the same. Their digests are compared: the time that it takes tells
/// nothing that helps to guess one.
pub(crate) fn is_same_secret(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

fn checksum(secret: &str) -> String {
    let hash = Sha256::digest(secret.as_bytes());
    let mut first = [0; 4];
    first.copy_from_slice(&hash[..4]);
    base62(first, CHECKSUM)
}

/// A big-endian number in base 62, with leading zeros.
fn base62<const N: usize>(mut number: [u8; N], length: usize) -> String {
    let mut digits = vec![b'0'; length];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u32;
        for byte in &mut number {
            let part = rest << 8 | u32::from(*byte);
            // Both fit: `rest` is less than 62.
            *byte = (part / 62) as u8;
            rest = part % 62;
        }
        *digit = DIGITS[rest as usize];
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_digits() {
        assert_eq!(base62([0, 0, 0, 61], 6), "00000z");
        assert_eq!(base62([0, 0, 0, 62], 6), "000010");
        assert_eq!(base62([0xff; 4], 6), "4gfFC3");
        // The largest number fits.
        assert_eq!(base62([0xff; 32], LENGTH).trim_start_matches('0').len(), LENGTH);
    }

    #[test]
    fn a_token_with_a_typing_error_is_none() {
        let token = new_token().unwrap();
        assert!(is_token(&token), "{token}");
        assert_ne!(token, new_token().unwrap());
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_token(std::str::from_utf8(&other).unwrap()), "{at}");
        }
        for text in ["", "tf_", &token[..token.len() - 1], &format!("{token}0"), &token[3..], "tf_é"] {
            assert!(!is_token(text), "{text}");
        }
    }
}
