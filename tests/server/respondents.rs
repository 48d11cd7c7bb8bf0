//! Who may answer a question: by the API, the pages and the command line.

use serde_json::{Value, json};
use taskflow_tests::common::eventually;

use crate::access::{PASSWORD, call, configured};
use crate::home::{Response, Service};

const PROXY: &str = "[auth]\nproxy_header = \"X-User\"\nproxy_trusted = [\"127.0.0.0/8\"]\nproxy_role = \"operator\"\n\
                     proxy_groups_header = \"X-Groups\"\nproxy_groups = [\"admins = admin\"]\n";

/// Whoever sends requests with these headers.
#[derive(Clone, Copy)]
struct Person<'s> {
    service: &'s Service,
    headers: [(&'s str, &'s str); 2],
}

impl<'s> Person<'s> {
    /// Somebody whom the proxy names, in these groups.
    fn of_proxy(service: &'s Service, name: &'s str, groups: &'s str) -> Self {
        Person { service, headers: [("x-user", name), ("x-groups", groups)] }
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        let [one, other] = self.headers;
        let headers = [one, other, ("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
        self.service.send(method, path, &headers, &body.to_string())
    }

    fn get(&self, path: &str) -> Response {
        self.service.send("GET", path, &self.headers, "")
    }

    /// Sends a form as a browser does.
    fn form(&self, path: &str, body: &str) -> Response {
        let [one, other] = self.headers;
        let media_type = ("content-type", "application/x-www-form-urlencoded");
        self.service.send("POST", path, &[one, other, media_type, ("sec-fetch-site", "same-origin")], body)
    }

    #[track_caller]
    fn trigger(&self, dag: &str) -> i64 {
        let response = self.send("POST", &format!("/api/v1/dags/{dag}/runs"), &json!({}));
        assert_eq!(response.status, 201, "{response:?}");
        response.json()["number"].as_i64().expect("a number")
    }

    fn until_it_asks(&self, run: i64, task: &str) {
        eventually("it asks", || self.get(&format!("/api/v1/approvals/{run}/{task}")).status == 200);
    }

    fn until_it_is(&self, run: i64, state: &str) {
        eventually("it ends", || self.get(&format!("/api/v1/runs/{run}")).json()["state"] == state);
    }

    fn answer(&self, run: i64, task: &str) -> Response {
        let body = json!({"key": task, "value": "approved"});
        self.send("POST", &format!("/api/v1/runs/{run}/release"), &body)
    }
}

/// Whoever has asked for the run, a member of another group, an admin, and a member who is somebody
/// else. It failed before there were such questions: everybody with the right to operate could
/// answer.
#[test]
fn a_question_for_a_group_is_answered_by_a_member_who_has_not_asked_for_the_run() {
    let (directory, file) = configured(PROXY);
    let service = Service::of("respondents", directory, &["--bind", "127.0.0.1:0", "--config", &file]);
    let kim = Person::of_proxy(&service, "kim", "finance");
    let lee = Person::of_proxy(&service, "lee", "staff, finance");
    let eve = Person::of_proxy(&service, "eve", "staff");
    let boss = Person::of_proxy(&service, "boss", "admins");

    let run = kim.trigger("payment");
    kim.until_it_asks(run, "release");
    let asked = eve.get(&format!("/api/v1/approvals/{run}/release")).json();
    assert_eq!((&asked["answered_by"], &asked["four_eyes"]), (&json!(["finance"]), &json!(true)), "{asked}");
    let task = eve.get(&format!("/api/v1/runs/{run}/tasks/release")).json();
    assert_eq!(task["waits_for"]["answered_by"], json!(["finance"]), "{task}");

    let shown = eve.get(&format!("/approvals/{run}/release")).body;
    let words = "embers of <code>finance</code>, except whoever asked for the run";
    assert!(shown.contains(words) && eve.get("/approvals").body.contains(words), "{shown}");

    let who = "it is answered by members of `finance`, except whoever asked for the run";
    let by_kim = format!("`kim` may not answer `release` of run {run}, having asked for the run; {who}");
    kim.answer(run, "release").assert_problem(403, &by_kim);
    for (person, name) in [(eve, "eve"), (boss, "boss")] {
        let refusal = format!("`{name}` may not answer `release` of run {run}; {who}");
        person.answer(run, "release").assert_problem(403, &refusal);
    }
    // The account of the machine is in no group, whatever name it gives.
    let number = run.to_string();
    let words = ["release", &*number, "release", "--value", "\"approved\"", "--by", "lee"];
    let refused = service.call_of("respondents", &words);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains(&format!("may not answer `release` of run {run}; {who}")), "{refused:?}");
    let status = service.call_of("respondents", &["status", &number]).stdout;
    let line = "\n  to be answered by members of `finance`, except whoever asked for the run\n  answer with: ";
    assert!(status.contains(line), "{status}");

    // Each refusal is in the trail, the newest first.
    let list = boss.get("/api/v1/audit?action=release").json();
    let rows: Vec<_> = list["entries"].as_array().expect("a list").iter().collect();
    assert_eq!(rows.len(), 4, "{list}");
    for (row, name) in rows[1..].iter().zip(["boss", "eve", "kim"]) {
        assert_eq!((&row["actor"]["name"], &row["outcome"]), (&json!(name), &json!("refused_right")), "{row}");
        let sentence = format!("{name} may not send the event `release` to run {run}: ");
        assert!(row["sentence"].as_str().is_some_and(|text| text.starts_with(&sentence)), "{row}");
    }
    assert_eq!((&rows[0]["actor"]["via"], &rows[0]["outcome"]), (&json!("cli"), &json!("refused_right")), "{list}");

    // Not in advance, once, and not a second time.
    lee.answer(run, "archive").assert_problem(404, "asks nothing now");
    let sent = lee.answer(run, "release");
    assert_eq!((sent.status, sent.json()["waiting"].clone()), (200, json!(["release"])), "{sent:?}");
    kim.until_it_asks(run, "archive");
    lee.answer(run, "release").assert_problem(404, "asks nothing now (state: success)");
    kim.answer(run, "archive").assert_problem(403, "it is answered by the user `lee`");
    assert_eq!(lee.answer(run, "archive").status, 200);
    kim.until_it_is(run, "success");
    // A run that has ended may be cleared before the answer is stored: it was a conflict (409) that
    // only the store noticed.
    lee.answer(run, "archive").assert_problem(404, "asks nothing now (state: success)");
    let value = kim.get(&format!("/api/v1/runs/{run}/values/answered")).body;
    assert!(value.contains("Approved by lee"), "{value}");
}

/// Two users and a token of one of them, which asks for the run. The token is revoked before its
/// user answers.
#[test]
fn whoever_has_asked_with_a_token_does_not_answer_as_its_user() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    for name in ["kim", "lee"] {
        let added = call(&directory, &["users", "add", name, "--role", "operator", "--password-stdin"], PASSWORD);
        assert_eq!(added.0, Some(0), "{added:?}");
    }
    let service = Service::of("respondents", directory, &["--bind", "127.0.0.1:0"]);
    let good = |words: &[&str]| {
        let output = service.call_of("respondents", words);
        assert_eq!(output.code, Some(0), "{output:?}");
        output.stdout.trim().to_owned()
    };
    let bearer = format!("Bearer {}", good(&["tokens", "create", "ci", "--role", "operator", "--user", "kim"]));
    let (cookie_of_kim, cookie_of_lee) = (service.session("kim", PASSWORD), service.session("lee", PASSWORD));
    let origin = format!("http://{}", service.address);
    let ci = Person { service: &service, headers: [("authorization", &bearer), ("origin", &origin)] };
    let kim = Person { service: &service, headers: [("cookie", &cookie_of_kim), ("origin", &origin)] };
    let lee = Person { service: &service, headers: [("cookie", &cookie_of_lee), ("origin", &origin)] };

    let run = ci.trigger("review");
    ci.until_it_asks(run, "release");
    let refusal = "having asked for the run; it is answered by everybody who may operate the DAG";
    ci.answer(run, "release").assert_problem(403, refusal);
    good(&["tokens", "revoke", "ci"]);
    kim.answer(run, "release").assert_problem(403, refusal);

    // Pages do not offer what would be refused.
    let here = format!("/approvals/{run}/release");
    let (button, link) = ("Approve</button>", "Answer…</a>");
    let page = kim.get(&here).body;
    assert!(page.contains("You are not one of those who may answer.") && !page.contains(button), "{page}");
    assert!(page.contains("Everybody who may operate the DAG, except whoever asked for the run"), "{page}");
    assert!(lee.get(&here).body.contains(button));
    for list in ["/approvals", "/"] {
        eventually("it is shown", || lee.get(list).body.contains("Is it right?"));
        let (of_kim, of_lee) = (kim.get(list).body, lee.get(list).body);
        assert!(of_kim.contains("Is it right?") && !of_kim.contains(link), "{of_kim}");
        assert!(of_lee.contains("Is it right?") && of_lee.contains(link), "{of_lee}");
    }
    for path in [format!("/runs/{run}"), format!("/runs/{run}/tasks/release")] {
        let (of_kim, of_lee) = (kim.get(&path).body, lee.get(&path).body);
        assert!(!of_kim.contains("Answer…") && of_lee.contains("Answer…"), "{path}: {of_kim}");
    }
    let refused = kim.form(&format!("{here}/answer"), "answer=approved");
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.body.contains("may not answer") && !refused.body.contains(button), "{refused:?}");
    assert_eq!(lee.form(&format!("{here}/answer"), "answer=approved").status, 303);
    lee.until_it_is(run, "success");
}

/// A question for everybody, before it is asked, while it is, and when it has been answered. The
/// last answer was accepted before, and had no effect.
#[test]
fn a_question_for_everybody_is_answered_in_advance_and_not_twice() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let service = Service::of("respondents", directory, &["--bind", "127.0.0.1:0"]);
    let run = service.trigger("open", &json!({}));
    let asks = |task: &str| service.get(&format!("/api/v1/approvals/{run}/{task}")).status == 200;
    eventually("it asks", || asks("release"));
    let answer = |task: &str, value: &str| {
        service.post(&format!("/api/v1/runs/{run}/release"), &json!({"key": task, "value": value}))
    };
    // Whoever has started it by this machine may answer: the question does not say otherwise.
    assert_eq!(answer("release", "approved").status, 200);
    eventually("it asks again", || asks("archive"));
    answer("release", "rejected").assert_problem(404, "`release` of run 1 asks nothing now (state: success)");
    assert_eq!(answer("archive", "approved").status, 200);
    service.wait(run, "success");

    let run = service.trigger("open", &json!({}));
    let answer = |task: &str| {
        service.post(&format!("/api/v1/runs/{run}/release"), &json!({"key": task, "value": "approved"})).status
    };
    assert_eq!((answer("archive"), answer("release")), (200, 200));
    service.wait(run, "success");
}
