//! The account that the process runs as.

/// The name of the account: that of the environment, that of the user database, or `uid 1000`.
/// Never empty.
pub(crate) fn account() -> String {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    variable("USER").or_else(|| variable("LOGNAME")).or_else(|| variable("USERNAME")).unwrap_or_else(from_system)
}

#[cfg(unix)]
fn from_system() -> String {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(uid, &users).unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(not(unix))]
fn from_system() -> String {
    "unknown".to_owned()
}

/// The name of an account in the text of `/etc/passwd`.
#[cfg(unix)]
fn name_of(uid: u32, users: &str) -> Option<String> {
    let fields = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?.to_owned();
        Some((name, fields.nth(1)?.parse::<u32>().ok()?))
    };
    users.lines().filter_map(fields).find(|&(_, known)| known == uid).map(|(name, _)| name)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_number() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\n# a comment\n:x:7:7::/:\nada:x:1000:1000:Ada,,,:/home/ada:/bin/sh\n";
        assert_eq!(name_of(1000, users).as_deref(), Some("ada"));
        assert_eq!(name_of(7, users), None);
        assert_eq!(name_of(1, users), None);
        assert!(!account().is_empty() && !from_system().is_empty());
    }
}
