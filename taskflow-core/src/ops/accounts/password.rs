//! Passwords: which ones are accepted, and their hashes.
//!
//! A hash is argon2id with 19 MiB, two passes and one lane, the first choice of OWASP's cheat
//! sheet. Each takes some 20 ms and its memory, so at most two are computed at once, on threads
//! that may block: a flood of log-ins takes neither the memory of the machine nor the threads of
//! the engine.

use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::error::AccountError;
use super::secret::{is_same_secret, random};
use crate::base::{from_hex, hex};

/// The least characters, and the most bytes: longer ones would only cost time.
const LEAST: usize = 12;
const MOST: usize = 1_024;

/// The parameters of argon2id: KiB, passes, lanes.
const COSTS: (u32, u32, u32) = (19 * 1024, 2, 1);
const SALT: usize = 16;
const HASH: usize = 32;

/// How many hashes are computed at once.
static HASHING: Semaphore = Semaphore::const_new(2);

/// Passwords of at least twelve characters that head the published lists of leaked ones, and those
/// that our own documentation could suggest. Shorter ones are refused by their length.
const COMMON: &[&str] = &[
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789123",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "abcdefghijkl",
    "abcd12345678",
    "abc123abc123",
    "administrator",
    "adminadminadmin",
    "admin1234567",
    "airflow12345",
    "basketball12",
    "changeme1234",
    "changemechangeme",
    "correcthorsebatterystaple",
    "football1234",
    "iloveyou1234",
    "letmeinletmein",
    "passw0rd1234",
    "password1234",
    "password12345",
    "password123456",
    "password123!",
    "passwordpassword",
    "princess1234",
    "qazwsxedcrfv",
    "qwer1234qwer",
    "qwertyqwerty",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopasdf",
    "qwerty123456",
    "sunshine1234",
    "superman1234",
    "taskflowtaskflow",
    "taskflow1234",
    "trustno1trustno1",
    "unbelievable",
    "welcome12345",
    "welcomewelcome",
    "zaq12wsxcde3",
];

/// Whether a password is accepted.
///
/// # Errors
///
/// Why not.
pub(super) fn accept(user: &str, password: &str) -> Result<(), AccountError> {
    let folded = password.to_lowercase();
    let distinct = folded.chars().collect::<std::collections::HashSet<_>>().len();
    let reason = if password.chars().count() < LEAST {
        "is too short: it needs at least 12 characters; several words are easy to remember"
    } else if password.len() > MOST {
        "is too long: it has at most 1024 bytes"
    } else if distinct < 4 {
        "is too easy to guess: it repeats the same few characters"
    } else if COMMON.contains(&&*folded) {
        "is too easy to guess: it is one of the most common ones"
    } else if folded == user.to_lowercase() {
        "is too easy to guess: it is the name of the user"
    } else {
        return Ok(());
    };
    Err(AccountError::WeakPassword { reason })
}

/// The hash of a new password.
pub(super) async fn hash(password: &str) -> Result<String, AccountError> {
    let salt = random::<SALT>()?;
    let hash = derive(password, salt, COSTS).await.unwrap_or([0; HASH]);
    let (memory, passes, lanes) = COSTS;
    Ok(format!("argon2id$m={memory},t={passes},p={lanes}${}${}", hex(&salt), hex(&hash)))
}

/// Whether a password has a hash. Without a hash it is compared with one that nothing has, which
/// takes as long: whoever asks does not learn which users exist.
pub(super) async fn verify(password: &str, stored: Option<&str>) -> bool {
    let known = stored.and_then(Stored::read);
    let (salt, costs) = known.as_ref().map_or(([0; SALT], COSTS), |stored| (stored.salt, stored.costs));
    let bounded = if password.len() > MOST { "" } else { password };
    let derived = derive(bounded, salt, costs).await;
    match (known, derived) {
        (Some(stored), Some(derived)) => is_same_secret(stored.hash, derived) && password.len() <= MOST,
        _ => false,
    }
}

/// Whether the hash of a password was made with other costs than now.
pub(super) fn is_outdated(stored: &str) -> bool {
    Stored::read(stored).is_none_or(|stored| stored.costs != COSTS)
}

async fn derive(password: &str, salt: [u8; SALT], costs: (u32, u32, u32)) -> Option<[u8; HASH]> {
    // It is never closed.
    let _turn = HASHING.acquire().await.ok()?;
    let password = password.to_owned();
    let compute = move || {
        let (memory, passes, lanes) = costs;
        let params = Params::new(memory, passes, lanes, Some(HASH)).ok()?;
        let mut hash = [0; HASH];
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(password.as_bytes(), &salt, &mut hash).ok()?;
        Some(hash)
    };
    tokio::task::spawn_blocking(compute).await.ok()?
}

/// A stored hash.
struct Stored {
    costs: (u32, u32, u32),
    salt: [u8; SALT],
    hash: [u8; HASH],
}

impl Stored {
    fn read(text: &str) -> Option<Stored> {
        let mut parts = text.strip_prefix("argon2id$")?.split('$');
        let costs = parts.next()?;
        let cost = |name: &str| {
            let found = costs.split(',').find_map(|cost| cost.strip_prefix(name)?.strip_prefix('='));
            found?.parse::<u32>().ok()
        };
        let costs = (cost("m")?, cost("t")?, cost("p")?);
        let (salt, hash) = (from_hex(parts.next()?)?, from_hex(parts.next()?)?);
        parts.next().is_none().then_some(Stored { costs, salt, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        for (password, reason) in [
            ("short", "at least 12 characters"),
            ("Passwordpassword", "most common"),
            ("ababababababab", "same few characters"),
            ("kim.of.accounts", "name of the user"),
            (&*"é".repeat(600), "at most 1024 bytes"),
        ] {
            let refused = accept("Kim.of.accounts", password).unwrap_err().to_string();
            assert!(refused.contains(reason), "{password}: {refused}");
        }
        assert_eq!(accept("kim", "öffne dich, bitte"), Ok(()));
        assert!(COMMON.iter().all(|common| common.len() >= LEAST && common.to_lowercase() == *common));
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_only() {
        let stored = hash("a good long password").await.unwrap();
        assert!(!stored.contains("good") && !is_outdated(&stored), "{stored}");
        assert_ne!(stored, hash("a good long password").await.unwrap(), "the salt is random");
        assert!(verify("a good long password", Some(&stored)).await);
        for other in ["", "a good long passwor", "A good long password"] {
            assert!(!verify(other, Some(&stored)).await, "{other}");
        }
        assert!(!verify("a good long password", None).await);
        for broken in ["", "argon2id$", "argon2id$m=19456,t=2,p=1$00$00", "plain"] {
            assert!(!verify("", Some(broken)).await && is_outdated(broken), "{broken}");
        }
    }
}
