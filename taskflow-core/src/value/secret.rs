//! Which names say that what they name is not to be shown.

/// What a name contains that says so; in small letters, without `_` and `-`. `token` covers `access_token`, too.
const WORDS: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "privatekey", "credential"];

/// Whether the value under this key is not to be shown: `db_password`, `API-Key`, `accessToken`.
///
/// Airflow masks by name as well. It cannot be complete; a name too many hidden is the lesser evil.
pub(crate) fn is_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect();
    WORDS.iter().any(|word| plain.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_any_spelling() {
        for name in [
            "password",
            "DB_PASSWORD",
            "passwd",
            "ssh-passphrase",
            "clientSecret",
            "access_token",
            "accessToken",
            "api_key",
            "API-Key",
            "apikey",
            "Authorization",
            "private_key",
            "privateKey",
            "credentials",
        ] {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn other_names_are_shown() {
        for name in ["pass", "key", "keys", "author", "api", "private", "flight", ""] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
