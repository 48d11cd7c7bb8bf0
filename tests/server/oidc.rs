//! Log-in with OpenID Connect, against a provider in the test process. What a provider, a browser
//! or somebody between them may try is refused with a sentence on the log-in page.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use taskflow_tests::binaries::program;
use taskflow_tests::common::eventually;
use tempfile::TempDir;

use crate::home::{Response, Service};
use crate::provider::{CLIENT, Provider, SECRET, Signing, encoded, pairs};

const PUBLIC: &str = "http://flow.example.com";
const PASSWORD: &str = "several good words";

/// The configuration of a server whose users this provider knows.
fn text(provider: &Provider, public: &str, groups: &str) -> String {
    format!(
        "[serve]\npublic_url = \"{public}\"\nrate_limit = 10000\n[serve.oidc]\nname = \"Keycloak\"\nissuer = \"{}\"\n\
         client_id = \"{CLIENT}\"\nclient_secret = \"oidc\"\n[serve.oidc.groups]\n{groups}\n\
         [secrets]\noidc = {{ file = \"secret\" }}\n",
        provider.issuer()
    )
}

const GROUPS: &str = "dev = { role = \"operator\", dags = [\"greeting\"] }\nadmins = \"admin\"";

fn configure(directory: &Path, text: &str) -> String {
    std::fs::write(directory.join("secret"), SECRET).expect("temporary files can be written");
    let file = directory.join("taskflow.toml");
    std::fs::write(&file, text).expect("temporary files can be written");
    file.to_str().expect("temporary paths are text").to_owned()
}

fn start_in(directory: TempDir, text: &str, flags: &[&str]) -> Service {
    let file = configure(directory.path(), text);
    let flags = [&["--bind", "127.0.0.1:0", "--config", &file][..], flags].concat();
    Service::over(directory, &flags)
}

fn start(provider: &Provider) -> Service {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    start_in(directory, &text(provider, PUBLIC, GROUPS), &[])
}

/// A browser at a service: it keeps cookies, and opens an address.
struct Browser<'s> {
    service: &'s Service,
    cookies: BTreeMap<String, String>,
}

impl<'s> Browser<'s> {
    fn new(service: &'s Service) -> Self {
        Browser { service, cookies: BTreeMap::new() }
    }

    fn get(&mut self, path: &str) -> Response {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = self.service.send("GET", path, &[("cookie", &cookies.join("; "))], "");
        for cookie in &response.cookies {
            let (name, rest) = cookie.split_once('=').expect("a cookie has a name");
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                let value = rest.split(';').next().unwrap_or_default();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    /// Goes to the provider, and returns the address here that it leads back to.
    #[track_caller]
    fn visit(&mut self, provider: &Provider, next: &str) -> String {
        let begun = self.get(&format!("/login/oidc?next={}", encoded(next)));
        assert_eq!(begun.status, 303, "{begun:?}");
        let back = provider.follow(begun.header("location"));
        back.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("{back}")).to_owned()
    }

    /// Logs in, and returns the answer to the code.
    #[track_caller]
    fn log_in(&mut self, provider: &Provider, next: &str) -> Response {
        let back = self.visit(provider, next);
        self.get(&back)
    }

    fn session(&self) -> Option<&str> {
        self.cookies.get(&format!("taskflow_{}", self.service.address.port())).map(String::as_str)
    }

    fn me(&mut self) -> Value {
        self.get("/api/v1/me").json()
    }

    /// Checks that an answer leads to the log-in page with this sentence, and begins no session.
    #[track_caller]
    fn assert_refused(&mut self, what: &str, response: &Response, sentence: &str) {
        assert_eq!(response.status, 303, "{what}: {response:?}");
        assert!(response.header("location").starts_with("/login?"), "{what}: {response:?}");
        assert_eq!(response.header("cache-control"), "no-store", "{what}");
        assert_eq!(self.cookies, BTreeMap::new(), "{what}: there is no session, and the attempt has ended");
        let page = self.get(response.header("location"));
        assert_eq!(page.status, 200, "{what}: {page:?}");
        assert!(page.body.contains("role=\"alert\"") && page.body.contains(sentence), "{what}: {page:?}");
        assert!(page.body.contains("Log in with Keycloak"), "{what}: {page:?}");
    }
}

#[test]
fn whoever_the_provider_knows_gets_to_the_page_that_they_wanted() {
    let provider = Provider::new();
    let service = start(&provider);
    let mut kim = Browser::new(&service);
    // Somebody can log in, so everybody has to, on this machine too.
    let led = kim.get("/runs?state=failed");
    assert_eq!((led.status, led.header("location")), (303, "/login?next=%2Fruns%3Fstate%3Dfailed"));
    let page = kim.get(led.header("location")).body;
    assert!(page.contains("href=\"/login/oidc?next=%2Fruns%3Fstate%3Dfailed\""), "{page}");
    assert!(page.contains(">Log in with Keycloak</a>") && !page.contains("type=\"password\""), "{page}");
    let entered = kim.log_in(&provider, "/runs?state=failed");
    assert_eq!((entered.status, entered.header("location")), (303, "/runs?state=failed"), "{entered:?}");
    assert!(kim.session().is_some() && kim.cookies.len() == 1, "{entered:?}");
    assert!(entered.cookies.iter().all(|cookie| cookie.contains("HttpOnly; SameSite=Lax")), "{entered:?}");
    assert_eq!(kim.get("/runs?state=failed").status, 200);
    // One of our sessions, with the rights of the groups.
    let me = kim.me();
    let name = me["name"].as_str().expect("a name").to_owned();
    assert!(name.starts_with("kim~") && me["via"] == "session", "{me}");
    assert_eq!(me["grants"], json!([[{"role": "operator", "dags": {"id": "greeting"}}]]));
    let shown = kim.get("/account").body;
    assert!(shown.contains(&name) && shown.contains("248289761001") && shown.contains(&provider.issuer()), "{shown}");
    assert!(!shown.contains("Change password"), "the password is the provider's: {shown}");
    // What they do is signed with a name that says who it was.
    let token = kim.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<String>();
    let headers = [("cookie", &*token), ("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
    let started = service.send("POST", "/api/v1/dags/greeting/runs", &headers, "{}");
    assert_eq!(started.status, 201, "{started:?}");
    let audit = service.call(&["audit", "--output", "json"]).json();
    assert_eq!(audit["entries"][0]["actor"], json!({"name": name, "via": "session"}), "{audit}");
    let actions: Vec<_> = audit["entries"].as_array().expect("a list").iter().map(|row| &row["action"]).collect();
    assert_eq!(actions, ["trigger", "log-in", "users add"], "a new person is in the trail: {audit}");
    assert!(audit["entries"].as_array().expect("a list").iter().all(|row| row["actor"]["name"] == name), "{audit}");
    let users = service.call(&["users", "list", "--output", "json"]).json();
    let identity = json!({"issuer": provider.issuer(), "subject": "248289761001", "groups": ["dev", "everybody"]});
    assert_eq!((&users[0]["name"], &users[0]["identity"]), (&json!(name), &identity));
    // Log-out ends our session.
    let left = service.send("POST", "/logout", &[("cookie", &token), ("sec-fetch-site", "same-origin")], "");
    assert_eq!((left.status, left.header("location")), (303, "/login"), "{left:?}");
    kim.get("/api/v1/me").assert_problem(401, "has to know who asks");
    // Another name, the same person.
    provider.shared().claims.insert("preferred_username".to_owned(), json!("Kim the Second"));
    kim.log_in(&provider, "/");
    assert_eq!(kim.me()["name"], name);
    // Another person with the same name.
    provider.shared().claims.extend([("sub".to_owned(), json!("7")), ("preferred_username".to_owned(), json!("kim"))]);
    let mut other = Browser::new(&service);
    other.log_in(&provider, "/");
    let other = other.me()["name"].clone();
    assert!(other.as_str().is_some_and(|other| other.starts_with("kim~")) && other != name, "{other}");
}

/// Threats 9 and 5: a log-in that somebody else has begun, and one that comes again.
#[test]
fn an_answer_counts_in_the_browser_that_has_asked_and_once() {
    let provider = Provider::new();
    let service = start(&provider);
    let late = "This log-in has expired, was used already, or began in another browser";
    let exchanges = || provider.count("/token");
    let mut kim = Browser::new(&service);
    for change in ["state=", "state=a", "state=%00", "estate="] {
        let back = kim.visit(&provider, "/dags");
        let state = pairs(back.split_once('?').expect("a query").1)["state"].clone();
        let refused = kim.get(&back.replace(&format!("state={}", encoded(&state)), change));
        kim.assert_refused(change, &refused, late);
    }
    // The log-in of another browser: whoever has made the link would be logged in here.
    let mut eve = Browser::new(&service);
    let link = eve.visit(&provider, "/dags");
    let refused = kim.get(&link);
    kim.assert_refused("no cookie", &refused, late);
    kim.visit(&provider, "/dags");
    let refused = kim.get(&link);
    kim.assert_refused("another cookie", &refused, late);
    // A cookie that was changed.
    let back = kim.visit(&provider, "/dags");
    let cookie = kim.cookies.values_mut().next().expect("a cookie");
    *cookie = cookie.replace("dags", "runs");
    let refused = kim.get(&back);
    kim.assert_refused("another way back", &refused, late);
    assert_eq!(exchanges(), 0, "no code was sent on");
    // The same answer again: with a cookie that was kept, and without one.
    let back = kim.visit(&provider, "/dags");
    let kept = kim.cookies.clone();
    assert_eq!(kim.get(&back).header("location"), "/dags");
    kim.cookies = kept;
    let refused = kim.get(&back);
    kim.assert_refused("a code again", &refused, late);
    assert_eq!(exchanges(), 2);
    let refused = kim.get(&back);
    kim.assert_refused("without the cookie", &refused, late);
    assert_eq!(exchanges(), 2);
}

/// Threat 1: a token that says something else than what the provider knows of this log-in.
#[test]
fn a_token_that_is_not_of_this_provider_for_this_log_in_is_refused() {
    let provider = Provider::new();
    let service = start(&provider);
    let now = jiff::Timestamp::now().as_second();
    let mut kim = Browser::new(&service);
    let sentence = "The answer of Keycloak is not valid";
    for wrong in [
        json!({"nonce": "another"}),
        json!({"nonce": null}),
        json!({"aud": "another"}),
        json!({"aud": [CLIENT, "another"], "azp": "another"}),
        json!({"azp": "another"}),
        json!({"iss": "https://another.example.com"}),
        json!({"iss": format!("{}/", provider.issuer())}),
        json!({"exp": now - 3_600}),
        json!({"exp": null}),
        json!({"iat": now + 3_600}),
        json!({"sub": ""}),
    ] {
        provider.shared().wrong = wrong.as_object().expect("an object").clone();
        let refused = kim.log_in(&provider, "/dags");
        kim.assert_refused(&wrong.to_string(), &refused, sentence);
    }
    provider.shared().wrong = Map::new();
    for signing in
        [Signing::Not("none"), Signing::Not("ES256"), Signing::WithThePublicKey, Signing::ByAnother, Signing::Not("")]
    {
        provider.shared().signing = signing;
        let refused = kim.log_in(&provider, "/dags");
        kim.assert_refused(&format!("{signing:?}"), &refused, sentence);
    }
    provider.shared().signing = Signing::Right;
    for iss in [None, Some("https://another.example.com".to_owned())] {
        provider.shared().iss = iss.clone();
        let refused = kim.log_in(&provider, "/dags");
        kim.assert_refused(&format!("{iss:?}"), &refused, sentence);
    }
    assert_eq!(service.call(&["users", "list", "--output", "json"]).json(), json!([]), "nobody came in");
    provider.shared().iss = Some(provider.issuer());
    assert_eq!(kim.log_in(&provider, "/dags").header("location"), "/dags");
}

#[test]
fn a_provider_may_change_its_keys() {
    let provider = Provider::new();
    let service = start(&provider);
    let mut kim = Browser::new(&service);
    assert_eq!(kim.log_in(&provider, "/dags").header("location"), "/dags");
    assert_eq!(provider.count("/keys"), 1);
    provider.rotate("second");
    let mut lee = Browser::new(&service);
    assert_eq!(lee.log_in(&provider, "/dags").header("location"), "/dags");
    assert_eq!(provider.count("/keys"), 2);
    // Forged tokens with unknown keys do not make the server ask again and again.
    provider.rotate("third");
    for _ in 0..3 {
        let mut eve = Browser::new(&service);
        let refused = eve.log_in(&provider, "/dags");
        eve.assert_refused("an unknown key", &refused, "The answer of Keycloak is not valid");
    }
    assert_eq!(provider.count("/keys"), 2);
}

#[test]
fn while_the_provider_is_down_others_log_in_with_their_password() {
    let provider = Provider::new();
    provider.shared().is_down = true;
    let service = start(&provider);
    let kim = Browser::new(&service).get("/login").body;
    assert!(!kim.contains("type=\"password\""), "nobody has one: {kim}");
    let mut child = program("server");
    child.env("TASKFLOW_HOME", service.home()).args(["users", "add", "lee", "--password-stdin"]);
    let added = with_stdin(child, PASSWORD);
    assert!(added, "a user is added");
    let mut kim = Browser::new(&service);
    let refused = kim.get("/login/oidc?next=%2Fdags");
    kim.assert_refused("down", &refused, "Keycloak cannot be reached now");
    assert!(refused.header("location").contains("next=%2Fdags"), "{refused:?}");
    let form = format!("name=lee&password={}", encoded(PASSWORD));
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let entered = service.send("POST", "/login", &headers, &form);
    assert_eq!((entered.status, entered.header("location")), (303, "/"), "{entered:?}");
    // Nothing has to be started again once it is back.
    provider.shared().is_down = false;
    eventually("the provider is found", || {
        Browser::new(&service).get("/login/oidc").header("location").contains("/authorize?")
    });
    assert_eq!(kim.log_in(&provider, "/dags").header("location"), "/dags");
    let page = Browser::new(&service).get("/login").body;
    assert!(page.contains("type=\"password\"") && page.contains("Log in with Keycloak"), "{page}");
    // It goes away between the two steps.
    let mut max = Browser::new(&service);
    let back = max.visit(&provider, "/dags");
    provider.shared().is_down = true;
    let refused = max.get(&back);
    max.assert_refused("down again", &refused, "Keycloak cannot be reached now");
    assert_eq!(kim.get("/dags").status, 200, "who is in stays in");
}

fn with_stdin(mut command: std::process::Command, text: &str) -> bool {
    use std::io::Write as _;
    use std::process::Stdio;
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a built program starts");
    // It may end without reading.
    let _ = child.stdin.take().expect("it is piped").write_all(text.as_bytes());
    child.wait().expect("it ends").success()
}

/// Threats 3 and 5: a right that nobody has given, and one that outlives its group.
#[test]
fn whom_no_group_lets_in_stays_outside() {
    let provider = Provider::new();
    let service = start(&provider);
    let none = "Keycloak knows you, but none of your groups may use this server";
    let mut kim = Browser::new(&service);
    for groups in [&[][..], &["everybody"], &["Dev"], &["dev "]] {
        provider.set_groups(groups);
        let refused = kim.log_in(&provider, "/dags");
        kim.assert_refused(&format!("{groups:?}"), &refused, none);
    }
    provider.shared().claims.remove("groups");
    let refused = kim.log_in(&provider, "/dags");
    kim.assert_refused("no claim", &refused, none);
    assert_eq!(service.call(&["users", "list", "--output", "json"]).json(), json!([]));
    // The groups of the last log-in count, in the old session and for tokens too.
    provider.set_groups(&["admins"]);
    kim.log_in(&provider, "/dags");
    assert_eq!(kim.get("/api/v1/doctor").status, 200);
    let name = kim.me()["name"].as_str().expect("a name").to_owned();
    let token = service.call(&["tokens", "create", "mine", "--user", &name, "--role", "admin"]);
    let bearer = format!("Bearer {}", token.stdout.trim());
    let by_token = |path: &str| service.send("GET", path, &[("authorization", &bearer)], "").status;
    assert_eq!(by_token("/api/v1/doctor"), 200);
    provider.set_groups(&["dev"]);
    let mut again = Browser::new(&service);
    again.log_in(&provider, "/dags");
    assert_eq!((kim.get("/api/v1/doctor").status, by_token("/api/v1/doctor")), (403, 403));
    assert_eq!((kim.get("/api/v1/dags").status, by_token("/api/v1/dags")), (200, 200));
    // Who has lost every group is nobody, in all browsers.
    provider.set_groups(&["everybody"]);
    let mut last = Browser::new(&service);
    let refused = last.log_in(&provider, "/dags");
    last.assert_refused("no group any more", &refused, none);
    let codes = [kim.get("/api/v1/dags").status, again.get("/api/v1/dags").status, by_token("/api/v1/dags")];
    assert_eq!(codes, [401; 3]);
}

/// Threat 5: the role of a group is taken away in the configuration.
#[test]
fn a_group_that_has_lost_its_role_lets_nobody_in_after_the_next_start() {
    let provider = Provider::new();
    let service = start(&provider);
    let mut kim = Browser::new(&service);
    kim.log_in(&provider, "/");
    let session = kim.session().expect("a session").to_owned();
    let (_, directory) = service.stop();
    let viewer = text(&provider, PUBLIC, "dev = \"viewer\"");
    let service = start_in(directory, &viewer, &[]);
    // The port is another one, and the session is the same.
    let asks = |service: &Service| {
        let cookie = format!("taskflow_{}={session}", service.address.port());
        service.send("GET", "/api/v1/me", &[("cookie", &cookie)], "")
    };
    assert_eq!(asks(&service).json()["grants"], json!([[{"role": "viewer", "dags": "all"}]]));
    let (_, directory) = service.stop();
    let service = start_in(directory, &text(&provider, PUBLIC, "admins = \"admin\""), &[]);
    asks(&service).assert_problem(401, "has to know who asks");
    // Without a provider too: a user of it has no other way in.
    let (_, directory) = service.stop();
    let service = start_in(directory, "", &[]);
    asks(&service).assert_problem(401, "has to know who asks");
}

/// C2: a provider that sends the server elsewhere, with the code and the secret of the client.
#[test]
fn a_redirect_of_a_provider_is_not_followed() {
    for path in ["/.well-known/openid-configuration", "/token", "/keys"] {
        let (provider, other) = (Provider::new(), Provider::new());
        let service = start(&provider);
        provider.shared().redirected = Some((path, format!("{}{path}", other.issuer())));
        let mut kim = Browser::new(&service);
        let begun = kim.get("/login/oidc?next=%2F");
        let answer = match begun.header("location") {
            refused if refused.starts_with("/login?") => begun,
            address => {
                let back = provider.follow(address);
                kim.get(back.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("{back}")))
            }
        };
        kim.assert_refused(path, &answer, "role=\"alert\"");
        assert!(provider.count(path) > 0, "{path} was asked for");
        assert_eq!(other.count("/"), 0, "{path}");
    }
}

/// Threat 16: a log-in leads to a page of ours, whatever the address says.
#[test]
fn a_log_in_with_a_provider_leads_to_own_pages_only() {
    let provider = Provider::new();
    let service = start(&provider);
    for next in [
        "//evil.test",
        "/\\evil.test",
        "https://evil.test/",
        "javascript:alert(1)",
        "/login/oidc",
        "/api/v1/dags",
        "/a/../b",
        "/\r\nset-cookie: a=b",
        "",
    ] {
        let mut kim = Browser::new(&service);
        let page = kim.get(&format!("/login?next={}", encoded(next))).body;
        assert!(!page.contains("evil") && page.contains("href=\"/login/oidc\""), "{next}: {page}");
        let entered = kim.log_in(&provider, next);
        assert_eq!((entered.status, entered.header("location")), (303, "/"), "{next}");
    }
    // Where a log-in begins cannot be chosen by the request.
    let begun = service.send("GET", "/login/oidc?issuer=https%3A%2F%2Fevil.test", &[("host", "localhost")], "");
    let address = begun.header("location");
    assert!(address.starts_with(&format!("{}/authorize?", provider.issuer())), "{address}");
    let back = pairs(address.split_once('?').expect("a query").1)["redirect_uri"].clone();
    assert_eq!(back, format!("{PUBLIC}/login/oidc/callback"));
    // Somebody who is known is led on at once.
    let mut kim = Browser::new(&service);
    kim.log_in(&provider, "/");
    assert_eq!(kim.get("/login/oidc?next=%2Fdags").header("location"), "/dags");
}

/// Threats 14, 17 and 21: nothing that was sent is part of a page, and no secret leaves the server.
#[test]
fn an_answer_of_a_provider_is_shown_nowhere() {
    let provider = Provider::new();
    let mut service = start(&provider);
    let hostile = "<script>alert(1)</script>";
    for (error, sentence) in [
        ("access_denied", "Keycloak has not let you in."),
        ("server_error", "Keycloak cannot be reached now"),
        ("invalid_scope", "Keycloak does not accept this server"),
    ] {
        provider.shared().error = Some(error);
        let mut kim = Browser::new(&service);
        let back = kim.visit(&provider, "/dags");
        let refused = kim.get(&format!("{back}&error_description={}", encoded(hostile)));
        kim.assert_refused(error, &refused, sentence);
        assert!(!refused.header("location").contains("script"), "{refused:?}");
    }
    provider.shared().error = None;
    let page = service.get(&format!("/login?refused={}", encoded(hostile)));
    assert!(!page.body.contains("alert"), "{page:?}");
    provider.shared().claims.insert("preferred_username".to_owned(), json!(hostile));
    let mut kim = Browser::new(&service);
    kim.log_in(&provider, "/");
    let page = kim.get("/account");
    assert!(page.status == 200 && !page.body.contains("<script>alert"), "{page:?}");
    // Of the log, too, and of the command line.
    provider.shared().signing = Signing::Not("none");
    let mut eve = Browser::new(&service);
    eve.log_in(&provider, "/");
    let mut lines = service.printed.clone();
    while !lines.contains("algorithm `none`") {
        lines += &service.next_line();
    }
    let shown = service.call(&["config", "show", "--output", "json"]).stdout;
    assert!(!lines.contains(SECRET) && !lines.contains("code-") && !shown.contains(SECRET), "{lines} {shown}");
}

#[test]
fn below_a_base_path_and_over_https_the_cookies_are_bound_to_both() {
    let provider = Provider::new();
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let config = text(&provider, "https://flow.example.com/team", GROUPS);
    let service = start_in(directory, &config, &["--base-path", "/team"]);
    let begun = service.get("/team/login/oidc?next=%2Fdags");
    let attempt = begun.cookies.first().expect("a cookie").clone();
    let port = service.address.port();
    // They end with the digest of the path.
    let names = ["__Secure-taskflow_login", "__Secure-taskflow"];
    let [login, name] = names.map(|name| format!("{name}_{port}_ef0c9409="));
    assert!(attempt.starts_with(&login) && attempt.contains("; Secure"), "{attempt}");
    assert!(attempt.contains("Path=/team; HttpOnly; SameSite=Lax") && attempt.contains("Max-Age=600"), "{attempt}");
    let back = provider.follow(begun.header("location"));
    let path = back.strip_prefix("https://flow.example.com").expect("the public address");
    assert!(path.starts_with("/team/login/oidc/callback?"), "{path}");
    let cookie = attempt.split(';').next().expect("a cookie").to_owned();
    let entered = service.send("GET", path, &[("cookie", &cookie)], "");
    assert_eq!((entered.status, entered.header("location")), (303, "/team/dags"), "{entered:?}");
    let session = entered.cookies.iter().find(|cookie| cookie.starts_with(&name));
    assert!(session.is_some_and(|cookie| cookie.contains("Path=/team;")), "{entered:?}");
    assert!(session.is_some_and(|cookie| cookie.contains("; Secure")), "{entered:?}");
    assert!(entered.cookies.iter().any(|cookie| cookie.starts_with(&format!("{login}; Max-Age=0"))), "{entered:?}");
}

#[test]
fn a_wrong_setting_ends_serve_before_it_starts_and_is_named() {
    let provider = Provider::new();
    let good = text(&provider, PUBLIC, GROUPS);
    let issuer = format!("issuer = \"{}\"\n", provider.issuer());
    for (from, to, expected) in [
        (&*issuer, "", "`issuer` is missing in [serve.oidc]"),
        (&*issuer, "issuer = \"http://id.example.com\"\n", "`issuer` in [serve.oidc] must begin with https://"),
        ("public_url = \"http://flow.example.com\"\n", "", "[serve.oidc] needs `public_url` in [serve]"),
        ("client_id", "client", "unknown key `client` in [serve.oidc]"),
        ("= \"oidc\"", "= \"canary-secret\"", "`client_secret` in [serve.oidc] must be the name of a secret"),
        ("\"secret\" }", "\"none\" }", "cannot be read"),
        ("[\"greeting\"]", "[\"*\"]", "`groups` must be roles of groups"),
        ("\"operator\"", "\"root\"", "the roles are viewer, operator and admin"),
    ] {
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        let file = configure(directory.path(), &good.replacen(from, to, 1));
        let mut command = program("server");
        command.env("TASKFLOW_HOME", directory.path().join("home"));
        let output = command.args(["serve", "--bind", "127.0.0.1:0", "--config", &file]).output();
        let output = output.expect("a built program starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(2)), "{from}: {error}");
        assert!(error.contains(expected) && !error.contains("canary"), "{from}: {error}");
    }
}

#[test]
fn a_provider_that_calls_itself_otherwise_is_reported_with_the_setting() {
    let provider = Provider::new();
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let config = text(&provider, PUBLIC, GROUPS).replace(&provider.issuer(), &format!("{}/", provider.issuer()));
    let mut service = start_in(directory, &config, &[]);
    let mut lines = service.printed.clone();
    while !lines.contains("to the last slash") {
        lines += &service.next_line();
    }
    let named =
        format!("`issuer` in [serve.oidc] is `{0}/`, and the provider there calls itself `{0}`", provider.issuer());
    assert!(lines.contains(&named), "{lines}");
    let mut kim = Browser::new(&service);
    let refused = kim.get("/login/oidc");
    kim.assert_refused("another issuer", &refused, "Keycloak does not accept this server");
    // A server whose users a provider knows may be reached from other machines.
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let file = configure(directory.path(), &text(&provider, PUBLIC, GROUPS));
    let service = Service::over(directory, &["--bind", "0.0.0.0:0", "--config", &file]);
    service.send("GET", "/api/v1/dags", &[("host", "flow.example.com")], "").assert_problem(401, "who asks");
}
