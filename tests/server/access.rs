//! Users, sessions and tokens: coming, going, and what ends.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};
use taskflow_tests::binaries::program;
use taskflow_tests::common::eventually;
use tempfile::TempDir;

use crate::home::{Response, Service};

pub(crate) const PASSWORD: &str = "several good words";
const FORM: &str = "application/x-www-form-urlencoded";

/// The command line over the home of a directory, with a line on stdin.
pub(crate) fn call(directory: &TempDir, words: &[&str], stdin: &str) -> (Option<i32>, String, String) {
    let mut command = program("server");
    command.env("TASKFLOW_HOME", directory.path().join("home")).args(words);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // It may end without reading.
    let _ = child.stdin.take().expect("it is piped").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("a child can be waited for");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("temporary directories can be made")
}

/// A directory whose home has the admin `kim`.
fn with_kim() -> TempDir {
    let directory = directory();
    let added = call(&directory, &["users", "add", "kim", "--role", "admin", "--password-stdin"], PASSWORD);
    assert_eq!(added.0, Some(0), "{added:?}");
    directory
}

impl Service {
    pub(crate) fn log_in(&self, name: &str, password: &str, next: &str) -> Response {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let body = format!("name={}&password={}&next={}", encode(name), encode(password), encode(next));
        self.send("POST", "/login", &[("content-type", FORM)], &body)
    }

    /// The value of `Cookie` of a new session.
    #[track_caller]
    pub(crate) fn session(&self, name: &str, password: &str) -> String {
        let response = self.log_in(name, password, "");
        assert_eq!(response.status, 303, "{response:?}");
        response.header("set-cookie").split(';').next().expect("a cookie").to_owned()
    }

    /// What begins a session of `kim` at a server below a base path: the value of `Set-Cookie`.
    #[track_caller]
    fn cookie_below(&self, base: &str) -> String {
        let body = format!("name=kim&password={}", PASSWORD.replace(' ', "+"));
        let entered = self.send("POST", &format!("{base}/login"), &[("content-type", FORM)], &body);
        assert_eq!(entered.status, 303, "{entered:?}");
        entered.header("set-cookie").to_owned()
    }

    fn status(&self, header: (&str, &str)) -> u16 {
        self.send("GET", "/api/v1/dags", &[header], "").status
    }

    pub(crate) fn post_form(&self, path: &str, cookie: &str, body: &str) -> Response {
        let origin = format!("http://{}", self.address);
        self.send("POST", path, &[("content-type", FORM), ("cookie", cookie), ("origin", &origin)], body)
    }
}

#[test]
fn users_log_in_and_out() {
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    let refused = service.get("/api/v1/dags");
    refused.assert_problem(401, "this server has to know who asks");
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    let led = service.get("/runs?state=failed");
    assert_eq!((led.status, led.header("location")), (303, "/login?next=%2Fruns%3Fstate%3Dfailed"));
    let page = service.get("/login").body;
    assert!(page.contains("type=\"password\"") && !page.contains("users add"), "{page}");
    let entered = service.log_in("kim", PASSWORD, "/runs?state=failed");
    assert_eq!((entered.status, entered.header("location")), (303, "/runs?state=failed"));
    let cookie = entered.header("set-cookie");
    let name = format!("taskflow_{}=", service.address.port());
    assert!(cookie.starts_with(&name) && cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    let (one, other) = (cookie.split(';').next().expect("a cookie").to_owned(), service.session("kim", PASSWORD));
    assert_ne!(one, other, "each log-in is a new session");
    let home = service.send("GET", "/", &[("cookie", &one)], "");
    assert!(home.status == 200 && home.body.contains(">kim</a>") && home.body.contains("Log out"), "{home:?}");
    let me = service.send("GET", "/api/v1/me", &[("cookie", &one)], "").json();
    assert_eq!((&me["name"], &me["via"]), (&json!("kim"), &json!("session")));
    // Log-out ends the sessions of all browsers.
    let left = service.post_form("/logout", &one, "");
    assert_eq!((left.status, left.header("location"), left.header("clear-site-data")), (303, "/login", "\"cache\""));
    assert!(left.header("set-cookie").contains("Max-Age=0"), "{left:?}");
    assert_eq!((service.status(("cookie", &one)), service.status(("cookie", &other))), (401, 401));
    assert_eq!(service.get("/health/ready").json()["last_turn_seconds"], Value::Null);
}

/// Threat 6. A browser sends a cookie to the addresses below its path, whatever the port.
#[test]
fn servers_below_two_base_paths_of_a_host_do_not_get_the_cookies_of_each_other() {
    let is_sent_to = |set: &str, address: &str| {
        let path = set.split("; ").find_map(|part| part.strip_prefix("Path=")).expect("a cookie has a path");
        address.strip_prefix(path.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    for public in ["http://flow.example.com", "https://flow.example.com"] {
        let servers = ["/dags", "/dags2", "/team/dags"].map(|base| {
            let directory = with_kim();
            let file = directory.path().join("taskflow.toml");
            std::fs::write(&file, format!("[serve]\npublic_url = \"{public}{base}\"\n")).expect("it can be written");
            let file = file.to_str().expect("temporary paths are text").to_owned();
            let flags = ["--bind", "127.0.0.1:0", "--config", &file, "--base-path", base];
            (base, Service::over(directory, &flags))
        });
        let cookies: Vec<String> = servers.iter().map(|(base, service)| service.cookie_below(base)).collect();
        for (at, (base, service)) in servers.iter().enumerate() {
            for address in ["", "/", "/dags", "/login"] {
                let address = format!("{base}{address}");
                let sent: Vec<bool> = cookies.iter().map(|set| is_sent_to(set, &address)).collect();
                assert_eq!(sent, [at == 0, at == 1, at == 2], "{address}: {cookies:?}");
            }
            // A browser that sends all of them is known by one, and each counts in one place.
            let of = |set: &String| set.split(';').next().expect("a cookie").to_owned();
            let all = cookies.iter().map(of).collect::<Vec<_>>();
            let dags = format!("{base}/api/v1/dags");
            assert_eq!(service.send("GET", &dags, &[("cookie", &all.join("; "))], "").status, 200);
            for (other, cookie) in all.iter().enumerate() {
                let answer = service.send("GET", &dags, &[("cookie", cookie)], "");
                assert_eq!(answer.status, if other == at { 200 } else { 401 }, "{base}: {cookie}");
            }
        }
    }
}

#[test]
fn one_session_is_ended_and_the_others_go_on() {
    let directory = with_kim();
    let added = call(&directory, &["users", "add", "lee", "--role", "viewer", "--password-stdin"], PASSWORD);
    assert_eq!(added.0, Some(0), "{added:?}");
    let service = Service::over(directory, &["--bind", "127.0.0.1:0"]);
    let (here, there) = (service.session("kim", PASSWORD), service.session("kim", PASSWORD));
    let lee = service.session("lee", PASSWORD);
    let ids = |cookie: &str| {
        let account = service.send("GET", "/account", &[("cookie", cookie)], "").body;
        assert_eq!(account.matches(">this browser<").count(), 1, "{account}");
        let (mine, others): (Vec<String>, Vec<String>) = account
            .split("<span class=\"name\">127.0.0.1</span>")
            .skip(1)
            .map(|row| row.split("</tr>").next().unwrap_or_default().to_owned())
            .partition(|row| row.contains("this browser"));
        let id = |row: &String| {
            let (_, rest) = row.split_once("name=\"id\" value=\"").expect("it can be ended");
            rest.split('"').next().unwrap_or_default().to_owned()
        };
        (mine.iter().map(id).collect::<Vec<_>>(), others.iter().map(id).collect::<Vec<_>>())
    };
    let (mine, others) = ids(&here);
    assert_eq!((mine.len(), others.len()), (1, 1), "those of lee are not shown");
    let not_mine = service.post_form("/account/sessions/end", &lee, &format!("id={}", others[0]));
    assert_eq!(not_mine.status, 422, "{not_mine:?}");
    assert_eq!(service.status(("cookie", &there)), 200);

    let ended = service.post_form("/account/sessions/end", &here, &format!("id={}", others[0]));
    assert_eq!((ended.status, ended.header("location")), (303, "/account"), "{ended:?}");
    let states = [&here, &there, &lee].map(|cookie| service.status(("cookie", cookie)));
    assert_eq!(states, [200, 401, 200]);
    let again = service.post_form("/account/sessions/end", &here, &format!("id={}", others[0]));
    assert!(again.status == 422 && again.body.contains("has ended already"), "{again:?}");
    assert_eq!(ids(&here).1, Vec::<String>::new());
    assert_eq!(service.post_form("/account/sessions/end", &here, &format!("id={}", mine[0])).status, 303);
    assert_eq!(service.status(("cookie", &here)), 401);
}

#[test]
fn unknown_users_and_wrong_passwords_get_the_same_answer() {
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    let answer = |name: &str, password: &str| {
        let response = service.log_in(name, password, "");
        assert!(!response.headers.contains_key("set-cookie"), "{response:?}");
        let made = response.body.find("Made ").unwrap_or(response.body.len());
        (response.status, response.body[..made].replace(name, "NAME"))
    };
    let wrong = answer("kim", "several wrong words");
    assert_eq!(wrong.0, 401);
    assert!(wrong.1.contains("The name or the password is wrong."));
    assert_eq!(answer("lee", "several wrong words"), wrong);
    assert_eq!(answer("lee", PASSWORD), wrong);
    assert_eq!(answer("kim", &"x".repeat(1_500)), wrong);
}

/// Threat 21. The time of a machine that has other things to do says little; the work says more.
#[cfg(target_os = "linux")]
#[test]
fn an_unknown_user_costs_as_much_work_as_a_wrong_password() {
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    let token = service.call(&["tokens", "create", "metrics", "--role", "viewer"]).stdout;
    let bearer = format!("Bearer {}", token.trim());
    let spent = || -> f64 {
        let text = service.send("GET", "/metrics", &[("authorization", &bearer)], "").body;
        let seconds = text.lines().find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
        seconds.unwrap_or_else(|| panic!("{text}")).parse().expect("a number")
    };
    let cost = |names: &[&str]| {
        let before = spent();
        for name in names {
            assert_eq!(service.log_in(name, "several wrong words", "").status, 401, "{name}");
        }
        spent() - before
    };
    // The first one reads what is read once.
    cost(&["bob"]);
    let (known, unknown) = (cost(&["kim"; 4]), cost(&["lee", "max", "sam", "eve"]));
    assert!(known > 0.04, "{known} s: a password is made slow to try");
    assert!((0.5..2.0).contains(&(unknown / known)), "{unknown} s in place of {known} s");
}

/// Threat 28.
#[test]
fn sessions_that_nobody_uses_any_more_are_gone_with_the_next_log_in() {
    const MANY: usize = 10_000;
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    let cookie = service.session("kim", PASSWORD);
    let copy = format!(
        "WITH RECURSIVE copies(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM copies WHERE number < {MANY}) \
         INSERT INTO accounts (kind, name, secret, owner, state, used, checksum) \
         SELECT kind, name || number, secret || number, owner, state, used - 13 * 3600 * 1000000000, checksum \
         FROM accounts, copies WHERE kind = 'session'"
    );
    assert_eq!(crate::home::sql(&service.home(), &copy), MANY as u64);
    // It is known still, and so is the next one.
    assert_eq!(service.status(("cookie", &cookie)), 200);
    let next = service.session("kim", PASSWORD);
    assert_eq!(crate::home::sql(&service.home(), "UPDATE accounts SET kind = kind WHERE kind = 'session'"), 2);
    assert_eq!((service.status(("cookie", &cookie)), service.status(("cookie", &next))), (200, 200));
}

#[test]
fn passwords_are_not_tried_often() {
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    for _ in 0..5 {
        assert_eq!(service.log_in("kim", "several wrong words", "").status, 401);
    }
    let refused = service.log_in("kim", PASSWORD, "");
    assert_eq!(refused.status, 429, "{refused:?}");
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(service.log_in("lee", PASSWORD, "").status, 401, "others are not held up");
}

#[test]
fn a_log_in_leads_to_own_pages_only() {
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    for next in ["//evil.test", "/\\evil.test", "http://evil.test/", "javascript:alert(1)"] {
        let entered = service.log_in("kim", PASSWORD, next);
        assert_eq!((entered.status, entered.header("location")), (303, "/"), "{next}");
    }
    let page = service.get("/login?next=%2F%2Fevil.test");
    assert!(!page.body.contains("evil.test"), "{page:?}");
}

#[test]
fn what_ends_a_session_or_a_token_does_so_at_once() {
    let directory = with_kim();
    for name in ["lee", "max"] {
        let added = call(&directory, &["users", "add", name, "--role", "operator", "--password-stdin"], PASSWORD);
        assert_eq!(added.0, Some(0), "{added:?}");
    }
    let token = |name: &str, words: &[&str]| {
        let words = [&["tokens", "create", name][..], words].concat();
        let (code, token, error) = call(&directory, &words, "");
        assert_eq!(code, Some(0), "{error}");
        format!("Bearer {}", token.trim())
    };
    let (of_lee, of_max) = (token("of-lee", &["--user", "lee"]), token("of-max", &["--user", "max"]));
    let (alone, short) = (token("alone", &[]), token("short", &["--expires", "1s"]));
    let path = directory.path().to_owned();
    let command = |words: &[&str], stdin: &str| {
        let mut command = program("server");
        command.env("TASKFLOW_HOME", path.join("home")).args(words).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::null()).spawn().expect("it starts");
        let _ = child.stdin.take().expect("it is piped").write_all(stdin.as_bytes());
        assert!(child.wait().expect("it ends").success(), "{words:?}");
    };
    let service = Service::over(directory, &["--bind", "127.0.0.1:0"]);
    let bearer = |token: &str| service.status(("authorization", token));
    let (lee, max, kim) =
        (service.session("lee", PASSWORD), service.session("max", PASSWORD), service.session("kim", PASSWORD));
    assert_eq!([bearer(&of_lee), bearer(&of_max), bearer(&alone)], [200; 3]);
    assert_eq!([&lee, &max, &kim].map(|cookie| service.status(("cookie", cookie))), [200; 3]);
    // Another password.
    command(&["users", "password", "lee", "--password-stdin"], "other good words\n");
    assert_eq!((service.status(("cookie", &lee)), bearer(&of_lee)), (401, 401));
    assert_eq!(service.log_in("lee", PASSWORD, "").status, 401);
    // Removal. A user of the same name is another one.
    command(&["users", "remove", "max"], "");
    assert_eq!((service.status(("cookie", &max)), bearer(&of_max)), (401, 401));
    command(&["users", "add", "max", "--password-stdin"], PASSWORD);
    assert_eq!((service.status(("cookie", &max)), bearer(&of_max)), (401, 401));
    // Revocation and expiry.
    command(&["tokens", "revoke", "alone"], "");
    assert_eq!(bearer(&alone), 401);
    eventually("the token expires", || bearer(&short) == 401);
    // Log-out. Others have not been touched.
    assert_eq!(service.status(("cookie", &kim)), 200);
    assert_eq!(service.post_form("/logout", &kim, "").status, 303);
    assert_eq!(service.status(("cookie", &kim)), 401);
}

#[test]
fn a_role_changes_with_the_next_request() {
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    let kim = service.session("kim", PASSWORD);
    let token = service.post_form("/account/tokens", &kim, "name=mine&role=admin").body;
    let start = token.find("tf_").expect("the token is shown");
    let bearer = format!("Bearer {}", &token[start..start + 52]);
    let doctor = |name: &str, value: &str| service.send("GET", "/api/v1/doctor", &[(name, value)], "").status;
    assert_eq!((doctor("cookie", &kim), doctor("authorization", &bearer)), (200, 200));
    let changed = service.call(&["users", "role", "kim", "viewer"]);
    assert_eq!(changed.code, Some(0), "{changed:?}");
    assert_eq!((doctor("cookie", &kim), doctor("authorization", &bearer)), (403, 403), "a token has its user's rights");
}

#[test]
fn a_cookie_changes_nothing_without_an_origin() {
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    let (kim, own) = (service.session("kim", PASSWORD), format!("http://{}", service.address));
    let trigger = |headers: &[(&str, &str)]| {
        let all = [&[("content-type", "application/json"), ("cookie", &*kim)][..], headers].concat();
        service.send("POST", "/api/v1/dags/greeting/runs", &all, "{}")
    };
    trigger(&[]).assert_problem(403, "needs the header Origin or Sec-Fetch-Site");
    trigger(&[("origin", "http://evil.test")]).assert_problem(403, "a page of another origin");
    trigger(&[("sec-fetch-site", "cross-site")]).assert_problem(403, "a page of another origin");
    assert_eq!(service.send("POST", "/logout", &[("cookie", &kim)], "").status, 403);
    assert_eq!(trigger(&[("origin", &own)]).status, 201);
    assert_eq!(trigger(&[("sec-fetch-site", "same-origin")]).status, 201);
    let run = service.send("GET", "/api/v1/runs/1", &[("cookie", &kim)], "");
    assert_eq!(run.status, 200, "{run:?}");
}

#[test]
fn two_servers_on_one_host_do_not_take_each_others_cookies() {
    let one = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    let other = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    let cookies = format!("{}; {}", one.session("kim", PASSWORD), other.session("kim", PASSWORD));
    assert_eq!((one.status(("cookie", &cookies)), other.status(("cookie", &cookies))), (200, 200));
    let of_one = cookies.split(';').next().expect("a cookie");
    assert_eq!((one.status(("cookie", of_one)), other.status(("cookie", of_one))), (200, 401));
}

#[test]
fn wrong_tokens_are_refused_also_where_nobody_has_to_be_known() {
    let service = Service::new();
    assert_eq!(service.get("/api/v1/dags").status, 200);
    let valid = service.call(&["tokens", "create", "ci", "--role", "viewer", "--output", "json"]).json();
    let valid = format!("Bearer {}", valid["token"].as_str().expect("a token"));
    let get = |authorization: &str| service.send("GET", "/api/v1/me", &[("authorization", authorization)], "");
    assert_eq!(get(&valid).json()["via"], "token");
    assert_eq!(get(&valid).json()["rights"], json!(["view", "view_logs"]));
    for wrong in ["Bearer", "Bearer x", "Basic a2lt", &valid[..valid.len() - 1], &format!("{valid}x")] {
        get(wrong).assert_problem(401, "the token is not valid");
    }
    // In the address, a token is nothing.
    let path = format!("/api/v1/dags?token={}", &valid[7..]);
    assert_eq!(service.get(&path).status, 400);
    for _ in 0..15 {
        assert_eq!(get("Bearer x").status, 401);
    }
    assert_eq!(get("Bearer x").status, 429);
    // Behind a proxy, everybody is of one network.
    assert_eq!(get(&valid).status, 200);
}

#[test]
fn somebody_known_signs_with_their_name() {
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    let (kim, own) = (service.session("kim", PASSWORD), format!("http://{}", service.address));
    let headers = [("content-type", "application/json"), ("cookie", &*kim), ("origin", &*own)];
    let paused = service.send("PUT", "/api/v1/dags/daily/pause", &headers, r#"{"by": "somebody else"}"#);
    assert_eq!((paused.status, &paused.json()["by"]), (200, &json!("kim")), "{paused:?}");
    let unpaused = service.post_form("/dags/daily/unpause", &kim, "");
    assert_eq!(unpaused.status, 303, "{unpaused:?}");
}

#[test]
fn a_public_address_needs_somebody_who_is_known() {
    let directory = directory();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let (code, _, text) = call(&directory, &["serve", "--bind", address], "");
        assert_eq!(code, Some(2), "{text}");
        for way in ["users add NAME", "serve --setup", "proxy_header", "--insecure-no-auth"] {
            assert!(text.contains(way), "{way}: {text}");
        }
    }
    assert!(!directory.path().join("home").exists());
    // A token is not enough: nobody could open the pages.
    let kim = with_kim();
    let service = Service::over(kim, &["--bind", "0.0.0.0:0"]);
    service.send("GET", "/api/v1/dags", &[("host", "localhost")], "").assert_problem(401, "has to know who asks");
    service.send("GET", "/api/v1/dags", &[("host", "evil.test")], "").assert_problem(421, "configured names");
}

#[test]
fn without_authentication_everybody_is_warned() {
    let service = Service::of("server", directory(), &["--bind", "0.0.0.0:0", "--insecure-no-auth"]);
    let page = service.send("GET", "/", &[("host", "localhost")], "");
    assert!(page.status == 200 && page.body.contains("class=\"alarm\""), "{page:?}");
    assert!(!Service::new().get("/").body.contains("class=\"alarm\""));
}

/// The headers of different proxies, each alone. Those about the scheme and the user were no sign
/// of a proxy.
#[test]
fn requests_through_a_proxy_are_not_those_of_this_machine() {
    let service = Service::new();
    let names = ["x-forwarded-for", "forwarded", "x-real-ip", "via", "x-forwarded-proto", "x-forwarded-user"];
    let others = ["x-forwarded", "x-client-ip", "x-cluster-client-ip", "cf-connecting-ip", "true-client-ip"];
    for name in names.into_iter().chain(others) {
        let refused = service.send("GET", "/api/v1/dags", &[(name, "192.0.2.1")], "");
        refused.assert_problem(401, "has to know who asks");
    }
}

/// What nginx passes on that has only `proxy_pass http://127.0.0.1:8090;`: the name and address of
/// the server, HTTP/1.0, and no header of its own.
#[test]
fn requests_over_http_1_0_are_not_those_of_this_machine() {
    let service = Service::new();
    let pass = |request: &str| {
        service.raw(format!("{request} HTTP/1.0\r\nhost: {}\r\nconnection: close\r\n\r\n", service.address).as_bytes())
    };
    for request in ["GET /api/v1/dags", "GET /metrics", "POST /api/v1/dags/greeting/runs"] {
        let refused = pass(request);
        refused.assert_problem(401, "has to know who asks: over HTTP/1.0, which proxies speak");
    }
    let led = pass("GET /runs");
    assert_eq!((led.status, led.header("location")), (303, "/login?next=%2Fruns"), "{led:?}");
    // The page does not ask for a password as if there were one.
    let page = pass("GET /login");
    let hint = "adds the first user, on the machine of the server:<br><code>users add NAME --role admin</code>";
    assert!(page.body.contains(hint), "{page:?}");
    assert_eq!(service.json("/api/v1/runs"), json!([]), "nothing was started");
    // Nobody has to be known for these.
    assert_eq!(pass("GET /health/live").status, 200);
    eventually("it is ready", || pass("GET /health/ready").status == 200);
}

/// A directory with this configuration in its home.
pub(crate) fn configured(text: &str) -> (TempDir, String) {
    let directory = directory();
    let file = directory.path().join("taskflow.toml");
    std::fs::write(&file, text).expect("temporary files can be written");
    let file = file.to_str().expect("temporary paths are text").to_owned();
    (directory, file)
}

#[test]
fn a_trusted_proxy_names_the_user() {
    let text = "[serve]\nhosts = [\"flow.example.com\"]\n[auth]\nproxy_header = \"X-User\"\n\
                proxy_trusted = [\"127.0.0.0/8\"]\nproxy_role = \"viewer\"\n";
    let (directory, file) = configured(text);
    let service = Service::over(directory, &["--bind", "127.0.0.1:0", "--config", &file]);
    let me = |headers: &[(&str, &str)]| service.send("GET", "/api/v1/me", headers, "");
    me(&[]).assert_problem(401, "has to know who asks");
    let lee = me(&[("x-user", "lee@example.com"), ("host", "flow.example.com")]).json();
    assert_eq!((&lee["name"], &lee["via"]), (&json!("lee@example.com"), &json!("proxy")));
    assert_eq!(lee["rights"], json!(["view", "view_logs"]));
    // Of two headers, a client may have sent one.
    me(&[("x-user", "lee"), ("x-user", "kim")]).assert_problem(401, "has to know who asks");
    // A user of this server has their own roles.
    let added = service.call(&["users", "list"]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let trigger = [("x-user", "lee"), ("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
    service.send("POST", "/api/v1/dags/greeting/runs", &trigger, "{}").assert_problem(403, "`operate`");

    let (directory, file) = configured(&text.replace("127.0.0.0/8", "10.0.0.0/8"));
    let service = Service::over(directory, &["--bind", "127.0.0.1:0", "--config", &file]);
    service.send("GET", "/api/v1/me", &[("x-user", "lee")], "").assert_problem(401, "has to know who asks");
}

#[test]
fn whom_a_proxy_names_makes_no_token_that_belongs_to_nobody() {
    let text = "[auth]\nproxy_header = \"X-User\"\nproxy_trusted = [\"127.0.0.0/8\"]\nproxy_role = \"admin\"\n";
    let (directory, file) = configured(text);
    let added = call(&directory, &["users", "add", "kim", "--role", "admin", "--password-stdin"], PASSWORD);
    assert_eq!(added.0, Some(0), "{added:?}");
    let service = Service::over(directory, &["--bind", "127.0.0.1:0", "--config", &file]);
    let send = |user: &str, path: &str, media_type: &str, body: &str| {
        let headers = [("x-user", user), ("content-type", media_type), ("sec-fetch-site", "same-origin")];
        service.send("POST", path, &headers, body)
    };
    let api = |user: &str, body: Value| send(user, "/api/v1/tokens", "application/json", &body.to_string());
    let refused = api("lee", json!({"name": "own", "role": "admin"}));
    refused.assert_problem(403, "the proxy names `lee`, who is no user here");
    assert_eq!(refused.json()["next"], "add a user of that name first");
    let page = send("lee", "/account/tokens", "application/x-www-form-urlencoded", "name=page&role=admin");
    assert!(page.status == 403 && page.body.to_lowercase().contains("add a user of that name first"), "{page:?}");
    // For a user it may be one, and a user whom the proxy names has their own.
    assert_eq!(api("lee", json!({"name": "theirs", "role": "viewer", "user": "kim"})).status, 201);
    assert_eq!(api("kim", json!({"name": "ours", "role": "viewer"})).status, 201);
    let tokens = service.send("GET", "/api/v1/tokens", &[("x-user", "lee")], "").json();
    let owners: Vec<_> = tokens.as_array().expect("a list").iter().map(|token| &token["owner"]).collect();
    assert_eq!(owners, [&json!("kim"); 2], "{tokens}");
    // On the machine of the home, a token may belong to the instance.
    let here = service.call(&["tokens", "create", "here", "--role", "viewer"]);
    assert_eq!(here.code, Some(0), "{here:?}");
}

#[test]
fn a_trusted_proxy_names_the_groups_of_the_user() {
    let text = "[auth]\nproxy_header = \"X-User\"\nproxy_trusted = [\"127.0.0.0/8\"]\nproxy_role = \"viewer\"\n\
                proxy_groups_header = \"X-Groups\"\n\
                proxy_groups = [\"ops = admin\", \"data team = operator of daily\", \"data team = viewer of tag:rude\"]\n";
    let (directory, file) = configured(text);
    let added =
        call(&directory, &["users", "add", "kim", "--role", "viewer", "--dags", "gated", "--password-stdin"], PASSWORD);
    assert_eq!(added.0, Some(0), "{added:?}");
    let service = Service::over(directory, &["--bind", "127.0.0.1:0", "--config", &file]);
    let grants = |headers: &[(&str, &str)]| {
        let me = service.send("GET", "/api/v1/me", headers, "").json();
        me["grants"][0].as_array().map(|grants| grants.iter().map(|grant| grant["role"].clone()).collect::<Vec<_>>())
    };
    let of = |groups: &str| grants(&[("x-user", "lee"), ("x-groups", groups)]);
    assert_eq!(of("staff, data team"), Some(vec![json!("operator"), json!("viewer")]));
    assert_eq!(of("ops,data team"), Some(vec![json!("admin"), json!("operator"), json!("viewer")]));
    // In no group that is known: the role of all.
    assert_eq!(of("op"), Some(vec![json!("viewer")]));
    assert_eq!(of("data,team,OPS"), Some(vec![json!("viewer")]));
    assert_eq!(grants(&[("x-user", "lee")]), Some(vec![json!("viewer")]));
    // Of two headers, a client may have sent one; groups alone are nobody.
    assert_eq!(grants(&[("x-user", "lee"), ("x-groups", "ops"), ("x-groups", "staff")]), Some(vec![json!("viewer")]));
    service.send("GET", "/api/v1/me", &[("x-groups", "ops")], "").assert_problem(401, "has to know who asks");
    // A user of this server has their own roles.
    let kim = service.send("GET", "/api/v1/me", &[("x-user", "kim"), ("x-groups", "ops")], "").json();
    assert_eq!(kim["grants"], json!([[{"role": "viewer", "dags": {"id": "gated"}}]]));
    // What the groups allow holds, and no more.
    let pause = |dag: &str| {
        let headers = [("x-user", "lee"), ("x-groups", "data team"), ("sec-fetch-site", "same-origin")];
        service.send("PUT", &format!("/api/v1/dags/{dag}/pause"), &headers, "").status
    };
    assert_eq!((pause("daily"), pause("greeting")), (200, 404));

    let (directory, file) = configured(&text.replace("127.0.0.0/8", "10.0.0.0/8"));
    let service = Service::over(directory, &["--bind", "127.0.0.1:0", "--config", &file]);
    let refused = service.send("GET", "/api/v1/me", &[("x-user", "lee"), ("x-groups", "ops")], "");
    refused.assert_problem(401, "has to know who asks");

    let (directory, file) = configured(&text.replace("= admin", "= root"));
    let (code, _, error) = call(&directory, &["serve", "--bind", "127.0.0.1:0", "--config", &file], "");
    assert!(code == Some(2) && error.contains("`proxy_groups` must be roles of groups"), "{error}");
}

/// The rows about log-ins, the newest first.
fn log_ins(service: &Service) -> Vec<Value> {
    let list = service.call(&["audit", "--limit", "0", "--output", "json"]).json();
    let entries = list["entries"].as_array().expect("a list").clone();
    entries.into_iter().filter(|row| row["action"].as_str().is_some_and(|action| action.starts_with("log-"))).collect()
}

#[test]
fn log_ins_and_log_outs_are_in_the_trail() {
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    let kim = service.session("kim", PASSWORD);
    assert_eq!(service.post_form("/logout", &kim, "").status, 303);
    let rows = log_ins(&service);
    let told = |row: &Value| (row["sentence"].clone(), row["actor"].clone(), row["outcome"].clone());
    let by = json!({"name": "kim", "via": "session"});
    assert_eq!(told(&rows[0]), (json!("kim logged out"), by.clone(), json!("applied")));
    assert_eq!(told(&rows[1]), (json!("kim logged in"), by, json!("applied")));
    assert_eq!((rows.len(), &rows[1]["peer"]), (2, &json!("127.0.0.1")));
}

#[test]
fn log_ins_that_fail_are_in_the_trail_once_a_minute_for_each_network() {
    let service = Service::over(with_kim(), &["--bind", "127.0.0.1:0"]);
    for _ in 0..12 {
        service.log_in("kim", "several wrong words", "");
        service.log_in("my other password", "several wrong words", "");
    }
    let rows = log_ins(&service);
    // A minute may have begun in between.
    assert!((1..=2).contains(&rows.len()), "{rows:?}");
    let first = rows.last().expect("a row");
    assert_eq!(first["sentence"], "somebody could not log in as `kim`: the password is wrong");
    assert_eq!((&first["outcome"], &first["peer"]), (&json!("refused_right"), &json!("127.0.0.1")));
    // What is typed into the wrong field is nowhere.
    assert!(!json!(rows).to_string().contains("my other password"), "{rows:?}");
    let metrics = service.call(&["tokens", "create", "eyes", "--role", "viewer"]);
    let bearer = format!("Bearer {}", metrics.stdout.trim());
    let metrics = service.send("GET", "/metrics", &[("authorization", &bearer)], "").body;
    assert!(metrics.contains("taskflow_log_ins_total{outcome=\"failed\"}"), "{metrics}");
    assert!(metrics.contains("taskflow_log_ins_total{outcome=\"limited\"}"), "{metrics}");
}

#[test]
fn what_decides_who_may_do_what_needs_the_password_again() {
    // Each password is too old at once.
    let (directory, file) = configured("[auth]\nconfirm_after = \"0s\"\n");
    let added = call(&directory, &["users", "add", "kim", "--role", "admin", "--password-stdin"], PASSWORD);
    assert_eq!(added.0, Some(0), "{added:?}");
    let service = Service::over(directory, &["--bind", "127.0.0.1:0", "--config", &file]);
    let kim = service.session("kim", PASSWORD);
    // The pages ask for it in place of the forms.
    for (path, form) in [("/users", "/users/add"), ("/account", "/account/tokens")] {
        let page = service.send("GET", path, &[("cookie", &kim)], "").body;
        assert!(page.contains("action=\"/account/confirm\"") && !page.contains(form), "{path}: {page}");
        assert!(page.contains(&format!("name=\"next\" value=\"{path}\"")), "{page}");
    }
    // A page that was open for long.
    for (path, body, back) in [
        ("/users/add", "name=eve&role=admin&password=several+good+words", "/users"),
        ("/users/role", "name=kim&role=viewer", "/users"),
        ("/users/password", "name=kim&password=other+good+words", "/users"),
        ("/users/remove", "name=kim", "/users"),
        ("/account/tokens", "name=mine&role=admin", "/account"),
        ("/account/tokens/revoke", "name=mine", "/account"),
        ("/dags/daily/reset-schedule", "reason=x", "/dags/daily/reset-schedule"),
    ] {
        let asked = service.post_form(path, &kim, body);
        assert_eq!(asked.status, 403, "{path}: {asked:?}");
        assert!(asked.body.contains("Nothing has changed yet"), "{path}: {asked:?}");
        assert!(asked.body.contains(&format!("name=\"next\" value=\"{back}\"")), "{path}: {asked:?}");
        assert!(!asked.body.contains("good words") && asked.header("cache-control") == "no-store", "{asked:?}");
    }
    let own = format!("http://{}", service.address);
    let api = |method: &str, path: &str, body: &str| {
        let headers = [("content-type", "application/json"), ("cookie", &*kim), ("origin", &*own)];
        service.send(method, path, &headers, body)
    };
    for (method, path, body) in [
        ("POST", "/api/v1/tokens", r#"{"name": "mine", "role": "admin"}"#),
        ("DELETE", "/api/v1/users/kim", "{}"),
        ("POST", "/api/v1/db/prune", r#"{"older_than": "9000d"}"#),
        ("POST", "/api/v1/dags/daily/reset-schedule", "{}"),
    ] {
        api(method, path, body).assert_problem(403, "this needs the password");
    }
    let users = service.call(&["users", "list", "--output", "json"]).json();
    assert_eq!(users.as_array().map(Vec::len), Some(1), "nothing has changed");
    assert_eq!(service.call(&["tokens", "list", "--output", "json"]).json(), json!([]));
    // All else goes on, and so do programs with tokens.
    assert_eq!(api("PUT", "/api/v1/dags/daily/pause", "{}").status, 200);
    assert_eq!(service.call(&["tokens", "create", "boss", "--role", "admin"]).code, Some(0));
    // The password leads back.
    let wrong = service.post_form("/account/confirm", &kim, "next=%2Fusers&password=several+wrong+words");
    assert!(wrong.status == 403 && wrong.body.contains("The password is wrong."), "{wrong:?}");
    let right = service.post_form("/account/confirm", &kim, "next=%2Fusers&password=several+good+words");
    assert_eq!((right.status, right.header("location")), (303, "/users"), "{right:?}");
    let away = service.post_form("/account/confirm", &kim, "next=%2F%2Fevil.test&password=several+good+words");
    assert_eq!((away.status, away.header("location")), (303, "/"), "{away:?}");
    // It is tried as often as a log-in.
    let wrong = |_| service.post_form("/account/confirm", &kim, "password=several+wrong+words").status;
    assert!((0..5).map(wrong).any(|status| status == 429));
    let sentences: Vec<Value> = log_ins(&service).iter().map(|row| row["sentence"].clone()).collect();
    assert_eq!(sentences, ["kim could not log in: the password is wrong", "kim logged in"]);
}

#[test]
fn the_set_up_token_creates_one_user() {
    let mut service = Service::of("server", directory(), &["--bind", "0.0.0.0:0", "--setup"]);
    let token = service.next_line();
    let token = token.rsplit(' ').next().expect("a token").trim().to_owned();
    let host = ("host", "localhost");
    let led = service.send("GET", "/dags", &[host], "");
    assert_eq!((led.status, led.header("location")), (303, "/setup"));
    let form = |token: &str, name: &str, password: &str| {
        let body = format!("token={token}&name={name}&password={password}");
        service.send("POST", "/setup", &[host, ("content-type", FORM)], &body)
    };
    assert_eq!(form("wrong", "kim", "several+good+words").status, 401);
    let weak = form(&token, "kim", "password1234");
    assert!(weak.status == 422 && weak.body.contains("most common"), "{weak:?}");
    let entered = form(&token, "kim", "several+good+words");
    assert_eq!((entered.status, entered.header("location")), (303, "/"), "{entered:?}");
    let cookie = entered.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let me = service.send("GET", "/api/v1/me", &[host, ("cookie", &cookie)], "").json();
    assert_eq!((&me["name"], me["rights"].as_array().map(Vec::len)), (&json!("kim"), Some(8)));
    // It works once.
    assert_eq!(form(&token, "eve", "several+good+words").status, 404);
    assert_eq!(service.send("GET", "/setup", &[host], "").status, 404);
    assert_eq!(service.call(&["users", "list", "--output", "json"]).json().as_array().map(Vec::len), Some(1));
}

#[test]
fn the_first_user_of_this_machine_makes_everybody_log_in() {
    let service = Service::new();
    assert!(service.get("/users").body.contains("nobody has to log in on this machine"));
    let origin = format!("http://{}", service.address);
    let headers = [("content-type", FORM), ("origin", &*origin)];
    let added = service.send("POST", "/users/add", &headers, "name=kim&role=admin&password=several+good+words");
    assert_eq!((added.status, added.header("location")), (303, "/users"), "{added:?}");
    assert_eq!(service.get("/users").header("location"), "/login?next=%2Fusers");
    let kim = service.session("kim", PASSWORD);
    let users = service.send("GET", "/users", &[("cookie", &kim)], "");
    assert!(users.body.contains("kim") && users.header("cache-control") == "no-store", "{users:?}");
    // One's own password: the other sessions end, this one is replaced.
    let other = service.session("kim", PASSWORD);
    let wrong = service.post_form("/account/password", &kim, "current=x&password=other+good+words");
    assert!(wrong.status == 422 && wrong.body.contains("present password is wrong"), "{wrong:?}");
    let changed = service.post_form("/account/password", &kim, "current=several+good+words&password=other+good+words");
    assert_eq!((changed.status, changed.header("location")), (303, "/account"), "{changed:?}");
    let new = changed.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    assert_eq!([&kim, &other, &new].map(|cookie| service.status(("cookie", cookie))), [401, 401, 200]);
}

#[test]
fn the_command_line_manages_users_and_tokens() {
    let directory = directory();
    let add = ["users", "add", "kim", "--password-stdin"];
    for (words, stdin, why) in [
        (&add[..], "short\n", "at least 12 characters"),
        (&add[..], "password1234\n", "most common"),
        (&["users", "add", "kim"][..], PASSWORD, "--password-stdin"),
        (&["users", "add", "a/b", "--password-stdin"][..], PASSWORD, "cannot be a name"),
        (&["users", "add", "kim", "--password-stdin", "--dags", "*"][..], PASSWORD, "not a pattern over DAGs"),
        (&["users", "add", "kim", "--password", PASSWORD][..], "", "--password"),
    ] {
        let (code, stdout, stderr) = call(&directory, words, stdin);
        assert_eq!((code, &*stdout), (Some(2), ""), "{words:?}: {stderr}");
        assert!(stderr.contains(why), "{words:?}: {stderr}");
    }
    let (code, _, stderr) = call(
        &directory,
        &["users", "add", "kim", "--role", "operator", "--dags", "daily,tag:a", "--password-stdin"],
        PASSWORD,
    );
    assert_eq!((code, &*stderr), (Some(0), "user kim added: operator of daily, operator of tag:a\n"));
    let again = call(&directory, &add, PASSWORD);
    assert!(again.0 == Some(2) && again.2.contains("the user `kim` exists"), "{again:?}");
    let listed = call(&directory, &["users", "list", "--output", "json"], "").1;
    assert!(listed.contains("\"operator\"") && !listed.contains("argon2"), "{listed}");
    let (code, token, about) = call(&directory, &["tokens", "create", "ci", "--user", "kim"], "");
    assert!(code == Some(0) && token.starts_with("tf_") && token.trim().len() == 52, "{token} {about}");
    assert!(about.contains("shown this once"), "{about}");
    let listed = call(&directory, &["tokens", "list"], "").1;
    assert!(listed.contains("ci") && !listed.contains("tf_"), "{listed}");
    let forever = call(&directory, &["tokens", "create", "long", "--user", "kim", "--expires", "never"], "");
    assert!(forever.0 == Some(2) && forever.2.contains("only an admin of all DAGs"), "{forever:?}");
    let unknown = call(&directory, &["tokens", "create", "x", "--user", "lee"], "");
    assert!(unknown.0 == Some(2) && unknown.2.contains("there is no user `lee`"), "{unknown:?}");
    let removed = call(&directory, &["users", "remove", "kim"], "");
    assert_eq!(removed.2, "user kim removed; 0 sessions and 1 token have ended\n");
    for words in [["users", "remove", "kim"], ["tokens", "revoke", "ci"]] {
        let gone = call(&directory, &words, "");
        assert!(gone.0 == Some(2) && gone.2.contains("there is no"), "{gone:?}");
    }
    // Nothing that is presented is in the store.
    let store = std::fs::read(directory.path().join("home/taskflow.db")).expect("the store");
    let log = std::fs::read(directory.path().join("home/taskflow.db-wal")).unwrap_or_default();
    for secret in [token.trim(), PASSWORD] {
        let has = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!has(&store) && !has(&log), "{secret}");
    }
}
