//! The files of `docs/operations.md`: nginx proxies with them, and systemd accepts them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use taskflow_tests::common::PATIENCE;

use crate::home::{Response, Service};
use crate::nginx::{Nginx, is_installed};

/// The blocks of code of the chapter that are in this language.
fn blocks(language: &str) -> Vec<String> {
    let chapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let chapter = std::fs::read_to_string(chapter).expect("it is there");
    let fence = format!("\n```{language}\n");
    let parts = chapter.split(&fence).skip(1);
    parts.map(|part| part.split("\n```").next().unwrap_or_default().to_owned() + "\n").collect()
}

impl Nginx {
    /// nginx with a server of the chapter, without its certificate, before `service`. `more` are
    /// further lines of its location.
    fn before(service: &Service, more: &str) -> Self {
        let server = blocks("nginx").remove(0);
        assert!(server.contains("listen              443 ssl http2;") && server.contains("    }\n}\n"), "{server}");
        Nginx::start(|address| {
            server
                .replace("443 ssl http2", &address.to_string())
                .replace("127.0.0.1:8090", &service.address.to_string())
                .replace("    }\n}\n", &format!("{more}    }}\n}}\n"))
                .lines()
                .filter(|line| !line.trim().starts_with("ssl_"))
                .fold(String::new(), |text, line| text + line + "\n")
        })
    }

    fn connect(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a time limit");
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: flow.example.com\r\nconnection: close\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).expect("it reads");
        stream
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut answer = Vec::new();
        self.connect(method, path, headers, body).read_to_end(&mut answer).expect("it answers");
        Response::parse(&answer)
    }
}

/// A service with this configuration.
fn configured(text: &str) -> Service {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let file = directory.path().join("taskflow.toml");
    std::fs::write(&file, text).expect("temporary files can be written");
    let file = file.to_str().expect("temporary paths are text").to_owned();
    Service::over(directory, &["--bind", "127.0.0.1:0", "--config", &file])
}

#[test]
fn people_log_in_and_follow_streams_through_nginx() {
    let service = configured(&blocks("toml")[0]);
    // Before there is a user, nobody may do anything through it.
    let nginx = Nginx::before(&service, "");
    assert_eq!(nginx.send("GET", "/api/v1/dags", &[], "").status, 401);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    let added = service.send("POST", "/users/add", &headers, "name=kim&role=admin&password=several+good+words");
    assert_eq!(added.status, 303, "{added:?}");

    let led = nginx.send("GET", "/runs", &[], "");
    assert_eq!((led.status, led.header("location")), (303, "/login?next=%2Fruns"), "{led:?}");
    let origin = ("origin", "https://flow.example.com");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let entered = nginx.send("POST", "/login", &[form, origin], "name=kim&password=several+good+words&next=");
    assert_eq!((entered.status, entered.header("location")), (303, "/"), "{entered:?}");
    let cookie = entered.header("set-cookie").split(';').next().expect("a cookie");
    assert!(cookie.starts_with("__Host-taskflow="), "{cookie}");
    let cookie = ("cookie", cookie);
    let home = nginx.send("GET", "/", &[cookie], "");
    assert!(home.status == 200 && home.body.contains(">kim</a>"), "{home:?}");

    // An event arrives when it happens, and not when a buffer is full.
    let mut stream = nginx.connect("GET", "/api/v1/stream?topics=runs", &[cookie], "");
    let mut read = String::new();
    let mut wait = |what: &str| {
        while !read.contains(what) {
            let mut part = [0; 4096];
            let length = stream.read(&mut part).unwrap_or_else(|error| panic!("{what}: {error}: {read}"));
            assert!(length > 0, "it has ended: {read}");
            read += &String::from_utf8_lossy(&part[..length]);
        }
    };
    wait("text/event-stream");
    let json = ("content-type", "application/json");
    let started = nginx.send("POST", "/api/v1/dags/greeting/runs", &[cookie, origin, json], "{}");
    assert_eq!(started.status, 201, "{started:?}");
    wait("\"topic\":\"run\"");
}

#[test]
fn nginx_names_the_user_and_nobody_else_does() {
    let service = configured(&blocks("toml").concat());
    let users = blocks("nginx").remove(1);
    let file = tempfile::NamedTempFile::new().expect("temporary files can be made");
    let users = users.replace("/etc/nginx/taskflow.users", &file.path().display().to_string()) + "\n";
    std::fs::write(file.path(), "lee:{PLAIN}several good words\n").expect("temporary files can be written");
    let nginx = Nginx::before(&service, &users);
    assert_eq!(nginx.send("GET", "/api/v1/me", &[("x-forwarded-user", "kim")], "").status, 401);
    // `lee:several good words`
    let lee = ("authorization", "Basic bGVlOnNldmVyYWwgZ29vZCB3b3Jkcw==");
    let me = nginx.send("GET", "/api/v1/me", &[lee, ("x-forwarded-user", "kim")], "");
    let me: Value = serde_json::from_str(me.body.trim()).unwrap_or_else(|error| panic!("{error}: {me:?}"));
    assert_eq!((&me["name"], &me["via"]), (&json!("lee"), &json!("proxy")), "{me}");
    assert_eq!(me["rights"], json!(["view", "view_logs"]));
}

#[test]
fn systemd_accepts_the_units() {
    is_installed("systemd-analyze");
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let units = blocks("ini");
    let mut files = Vec::new();
    for unit in &units {
        let name = unit.lines().next().and_then(|line| line.strip_prefix("# /etc/systemd/system/"));
        let file = directory.path().join(name.unwrap_or_else(|| panic!("the first line is its path: {unit}")));
        // What it starts has to exist.
        std::fs::write(&file, unit.replace("/usr/local/bin/my-dags", "/bin/true")).expect("files can be written");
        files.push(file);
    }
    assert_eq!(files.len(), 4);
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args(&files)
        .env("SYSTEMD_LOG_TARGET", "console")
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    let of_units = files.iter().filter_map(|file| file.file_name()?.to_str());
    let problems: Vec<&str> = of_units.flat_map(|name| said.lines().filter(move |line| line.contains(name))).collect();
    assert!(output.status.success() && problems.is_empty(), "{said}");
}
