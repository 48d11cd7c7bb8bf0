//! HTTPS: certificates made by openssl, asked by curl, openssl and the command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::json;
use taskflow_tests::binaries::program;
use tempfile::TempDir;

use crate::home::{self, Service};

/// A directory with an authority.
struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
        let authority = Authority(tempfile::tempdir().expect("temporary directories can be made"));
        authority.openssl("req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem");
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, words: &str) {
        let output = Command::new("openssl").args(words.split(' ')).current_dir(self.0.path()).output();
        let output = output.expect("openssl is installed");
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes `NAME.pem` and `NAME.key`.
    fn issue(&self, name: &str) -> &Self {
        self.openssl(&format!(
            "req -x509 -CA ca.pem -CAkey ca.key -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 -subj \
             /CN={name} -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
             -keyout {name}.key -out {name}.pem"
        ));
        self
    }

    /// A service with the certificate of this name.
    fn service(&self, name: &str, flags: &[&str]) -> Service {
        let (certificate, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        let [certificate, key] = [&certificate, &key].map(|path| path.to_str().expect("a plain path"));
        Service::with(&[&["--bind", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key], flags].concat())
    }

    /// What curl gets at an address, and its exit code.
    fn curl(&self, service: &Service, path: &str, words: &[&str]) -> (Option<i32>, String) {
        let url = format!("https://localhost:{}{path}", service.address.port());
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--ipv4", "--max-time", "60", "--cacert"])
            .arg(self.path("ca.pem"))
            .args(words)
            .arg(url)
            .output()
            .expect("curl is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    }

    /// The name of the certificate that a service shows.
    fn shown(&self, service: &Service) -> String {
        let script = format!(
            "openssl s_client -connect {} </dev/null 2>/dev/null | openssl x509 -noout -subject -nameopt multiline",
            service.address
        );
        let output = Command::new("sh").args(["-c", &script]).output().expect("a shell starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.rsplit("= ").next().unwrap_or_default().trim().to_owned()
    }
}

/// Puts a copy in the place of a file, at once.
fn copy(from: &Path, to: &Path) {
    let new = to.with_extension("new");
    std::fs::copy(from, &new).expect("files can be copied");
    std::fs::rename(&new, to).expect("files can be renamed");
}

#[test]
fn a_server_with_a_certificate_speaks_https_and_nothing_else() {
    let authority = Authority::new();
    let service = authority.issue("one").service("one", &[]);
    assert!(service.printed.contains(&format!("listening on https://{}", service.address)), "{}", service.printed);
    for version in ["1.2", "1.3"] {
        let words = ["--tls-max", version, "--write-out", "%{http_code} %{http_version}", "--output", "/dev/null"];
        assert_eq!(authority.curl(&service, "/", &words), (Some(0), "200 1.1".to_owned()), "TLS {version}");
    }
    let old = authority.curl(&service, "/", &["--tls-max", "1.1"]);
    assert_eq!(old.0, Some(35), "{old:?}");
    let stranger = authority.curl(&service, "/", &["--cacert", "/dev/null"]);
    assert!(matches!(stranger.0, Some(60 | 77)), "{stranger:?}");
    service.get("/").assert_problem(400, "this address speaks HTTPS only");
    service.post("/api/v1/dags/greeting/runs", &json!({})).assert_problem(400, "this address speaks HTTPS only");
    // What is neither ends the connection, and the server goes on.
    service.raw(b"\x16\x03\x01\x00\x05hello");
    let post = ["-H", "Content-Type: application/json", "-d", r#"{"params": {"times": 5}}"#];
    let (code, answer) = authority.curl(&service, "/api/v1/dags/greeting/runs", &post);
    assert!(code == Some(0) && answer.contains("\"number\": 1"), "{answer}");
    // A stream is one connection for as long as it lasts.
    let (code, stream) = authority.curl(&service, "/api/v1/runs/1/stream", &["-N"]);
    assert!(code == Some(0) && stream.contains("event: end"), "{code:?} {stream}");
    let metrics = authority.curl(&service, "/metrics", &[]).1;
    assert!(metrics.contains("\ntaskflow_tls_certificate_expiry_timestamp_seconds 1"), "{metrics}");
}

#[test]
fn cookies_are_for_https_and_pages_of_other_schemes_are_other_origins() {
    let authority = Authority::new();
    let service = authority.issue("one").service("one", &[]);
    let user = r#"{"name": "kim", "password": "several good words", "role": "admin"}"#;
    let added = authority.curl(&service, "/api/v1/users", &["-H", "Content-Type: application/json", "-d", user]);
    assert_eq!(added.0, Some(0), "{added:?}");
    let origin = format!("Origin: https://localhost:{}", service.address.port());
    let form = ["-i", "-d", "name=kim&password=several+good+words", "-H"];
    let (_, answer) = authority.curl(&service, "/login", &[&form[..], &[&origin]].concat());
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie").to_owned();
    assert!(cookie.starts_with("__Host-taskflow=") && cookie.trim().ends_with("; Secure"), "{cookie}");
    let plain = origin.replace("https", "http");
    let (_, answer) = authority.curl(&service, "/login", &[&form[..], &[&plain]].concat());
    assert!(answer.contains(" 403 ") && answer.contains("another origin"), "{answer}");
}

#[cfg(feature = "http")]
#[test]
fn the_command_line_asks_a_service_over_https() {
    let authority = Authority::new();
    let service = authority.issue("one").service("one", &[]);
    let ask = |file: Option<&str>, words: &[&str]| -> Output {
        let mut command = program("server");
        command.env("TASKFLOW_SERVER", format!("https://localhost:{}", service.address.port()));
        match file {
            Some(name) => command.env("SSL_CERT_FILE", authority.path(name)),
            None => command.env_remove("SSL_CERT_FILE"),
        };
        command.args(words).output().expect("a built program starts")
    };
    let emitted = ask(Some("ca.pem"), &["emit", "reports", "4711"]);
    assert_eq!(emitted.status.code(), Some(0), "{emitted:?}");
    let events = ask(Some("ca.pem"), &["events", "reports"]);
    assert!(String::from_utf8_lossy(&events.stdout).contains("4711"), "{events:?}");
    for (file, expected) in
        [(None, "certificate"), (Some("none.pem"), "SSL_CERT_FILE"), (Some("one.key"), "no certificate in PEM")]
    {
        let refused = ask(file, &["runs"]);
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && text.contains(expected), "{file:?}: {text}");
    }
}

#[test]
fn a_new_certificate_is_used_without_a_restart_and_a_bad_one_is_not() {
    let authority = Authority::new();
    authority.issue("one").issue("two").issue("three");
    for end in ["pem", "key"] {
        copy(&authority.path(&format!("one.{end}")), &authority.path(&format!("live.{end}")));
    }
    let mut service = authority.service("live", &[]);
    service.next_line_with("serving");
    assert_eq!(authority.shown(&service), "one");
    // One file after the other: in between they do not fit together.
    copy(&authority.path("two.pem"), &authority.path("live.pem"));
    let line = service.next_line_with("certificate");
    assert!(line.contains("the server keeps its certificate") && line.contains("does not belong to"), "{line}");
    assert_eq!(authority.shown(&service), "one");
    copy(&authority.path("two.key"), &authority.path("live.key"));
    service.next_line_with("was read again");
    assert_eq!(authority.shown(&service), "two");
    // SIGHUP reads in any case, and says what is wrong.
    service.signal(Signal::HUP);
    service.next_line_with("was read again");
    std::fs::remove_file(authority.path("live.key")).expect("it is there");
    let line = service.next_line_with("certificate");
    assert!(line.contains("cannot be read"), "{line}");
    assert_eq!(authority.shown(&service), "two");
    let (code, _) = service.stop();
    assert_eq!(code, Some(0));
}

#[test]
fn each_bad_file_is_named_before_anything_starts() {
    let authority = Authority::new();
    authority.issue("one").issue("two");
    authority.openssl("x509 -in one.pem -outform der -out binary.pem");
    authority.openssl("pkcs8 -topk8 -in one.key -passout pass:secret -out encrypted.key");
    std::fs::write(authority.path("text.pem"), "hello").expect("files can be written");
    let damaged = std::fs::read_to_string(authority.path("one.pem")).expect("it is text").replace("MII", "!!!");
    std::fs::write(authority.path("damaged.pem"), damaged).expect("files can be written");
    std::fs::write(authority.path("other.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("files can be written");
    for (certificate, key, expected) in [
        ("none.pem", "one.key", &["the certificate ", "none.pem cannot be read: No such file"][..]),
        ("one.pem", "none.key", &["the key ", "none.key cannot be read: No such file"]),
        ("text.pem", "one.key", &["text.pem is not a certificate in PEM", "BEGIN CERTIFICATE"]),
        ("binary.pem", "one.key", &["binary.pem is not a certificate in PEM", "-inform der"]),
        ("damaged.pem", "one.key", &["damaged.pem is not a certificate in PEM: it is damaged"]),
        ("other.pem", "one.key", &["other.pem and the key ", "cannot be used"]),
        ("one.pem", "text.pem", &["text.pem is not a key in PEM", "BEGIN PRIVATE KEY"]),
        ("one.pem", "encrypted.key", &["encrypted.key is not a key in PEM: it is encrypted; `openssl pkey"]),
        ("one.key", "one.pem", &["one.key is not a certificate in PEM", "swapped?"]),
        ("one.pem", "one.pem", &["one.pem is not a key in PEM", "swapped?"]),
        ("one.pem", "two.key", &["two.key does not belong to the certificate "]),
    ] {
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        let output = home::command(directory.path())
            .args(["--bind", "127.0.0.1:0", "--tls-cert"])
            .arg(authority.path(certificate))
            .arg("--tls-key")
            .arg(authority.path(key))
            .output()
            .expect("a built program starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{certificate} {key}: {text}");
        for part in expected {
            assert!(text.contains(part), "{certificate} {key}: {part}: {text}");
        }
        assert!(!text.contains("listening"), "{text}");
    }
}

#[test]
fn a_certificate_that_has_expired_is_used_with_a_warning() {
    let authority = Authority::new();
    authority.openssl(
        "req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=old -keyout old.key -out old.csr",
    );
    // Without an extension it would be of version 1, which TLS does not use.
    std::fs::write(authority.path("extensions"), "subjectAltName = DNS:localhost").expect("files can be written");
    authority.openssl("x509 -req -in old.csr -signkey old.key -days -1 -extfile extensions -out old.pem");
    let service = authority.service("old", &[]);
    let warning = service.printed.lines().find(|line| line.contains("old.pem has expired at 2"));
    assert!(warning.is_some(), "{}", service.printed);
    assert_eq!(authority.shown(&service), "old");
}

#[test]
fn the_files_are_settings_too_and_belong_together() {
    let authority = Authority::new();
    authority.issue("one");
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let home = directory.path().join("home");
    std::fs::create_dir_all(&home).expect("directories can be made");
    for name in ["one.pem", "one.key"] {
        copy(&authority.path(name), &home.join(name));
    }
    let settings = "[serve]\ntls_cert = \"one.pem\"\n";
    std::fs::write(home.join("taskflow.toml"), settings).expect("files can be written");
    let output = home::command(directory.path()).output().expect("a built program starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && text.contains("needs --tls-key, or `tls_key` in [serve]"), "{text}");
    std::fs::write(home.join("taskflow.toml"), format!("{settings}tls_key = \"one.key\"\n"))
        .expect("files are written");
    let service = Service::over(directory, &["--bind", "127.0.0.1:0"]);
    assert_eq!(authority.shown(&service), "one");
}
