//! The forms, by hand: what they show is what happens, with scripts and without.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use taskflow_tests::binaries::program;

use crate::home::Service;
use crate::page::Page;
use crate::site::{empty, large};

/// The tasks of a run by their states, as the API has them.
fn states(service: &Service, run: i64) -> Vec<(String, String)> {
    let tasks = service.json(&format!("/api/v1/runs/{run}"))["tasks"].clone();
    let text = |task: &Value, name: &str| task[name].as_str().unwrap_or_default().to_owned();
    tasks.as_array().expect("a list").iter().map(|task| (text(task, "id"), text(task, "state"))).collect()
}

/// How many attempts each task of a run has, as the API has them.
fn attempts(service: &Service, run: i64) -> BTreeMap<String, usize> {
    let tasks = service.json(&format!("/api/v1/runs/{run}"))["tasks"].clone();
    let of = |task: &Value| {
        let id = task["id"].as_str().unwrap_or_default().to_owned();
        (id, task["attempts"].as_array().map_or(0, Vec::len))
    };
    tasks.as_array().expect("a list").iter().map(of).collect()
}

/// The only entry of the audit trail about an action on a run.
fn audited(service: &Service, run: i64, action: &str) -> Value {
    let trail = service.json(&format!("/api/v1/audit?run={run}&action={action}"));
    match trail["entries"].as_array().map(Vec::as_slice) {
        Some([entry]) => entry.clone(),
        _ => panic!("{trail}"),
    }
}

/// Clears the failed tasks of a run by the form and checks the effect against the preview.
fn clear_by_hand(service: &Service, page: &Page) {
    let run = service.trigger("mapped", &json!({ "count": 20 }));
    service.wait(run, "failed");
    let (before, attempts_before) = (states(service, run), attempts(service, run));
    page.open(&format!("/runs/{run}"));
    // With scripts the link opens a dialog; the form has an address of its own.
    let form = page.eval("document.querySelector(\"a[href$='/clear'], a[href*='/clear?']\").getAttribute('href')");
    page.open(form.as_str().expect("a link to the form"));
    page.eval("document.querySelector('[name=which]').value = 'failed'");
    page.follow(".form button[formmethod=get]");
    let preview = page.texts(".affected li .state");
    assert_eq!(preview, ["square[13]", "total"], "the form shows what is cleared");
    assert_eq!(page.texts(".affected li .soft"), ["failed → runs again", "upstream failed → runs again"]);
    let notes = page.text(".notes");
    assert!(notes.contains(&format!("{} other tasks stay as they are", before.len() - 2)), "{notes}");
    let token = page.eval("document.querySelector('[name=token]').value");
    assert_eq!(states(service, run), before, "a preview changes nothing");
    page.fill("[name=reason]", "the customer \u{201c}13\u{201d} is back");
    page.follow(".form button");
    assert_eq!(page.address(), format!("/runs/{run}"));
    service.wait(run, "failed");
    // The task after the failed one cannot run this time either.
    let mut expected = attempts_before;
    *expected.get_mut("square[13]").expect("it has run") += 1;
    assert_eq!(attempts(service, run), expected, "what was shown has run again, and nothing else");
    assert_eq!(states(service, run), before, "it has failed for the same reason");
    let entry = audited(service, run, "clear");
    assert_eq!((&entry["token"], &entry["outcome"]), (&token, &json!("applied")), "{entry}");
    assert_eq!(entry["reason"], "the customer \u{201c}13\u{201d} is back", "{entry}");
    assert_eq!(entry["after"]["named"], json!(preview), "{entry}");
    page.open(&format!("/runs/{run}"));
    let history = page.text("#history");
    assert!(history.contains("the customer \u{201c}13\u{201d} is back"), "{history}");
    for task in &preview {
        assert!(history.contains(task.as_str()), "{task} is not in the history");
    }
    page.assert_clean();
}

/// Number 7.
#[test]
fn what_is_cleared_is_what_the_form_has_shown() {
    let service = empty();
    clear_by_hand(&service, &Page::new(service.address));
}

/// Asks to clear the failed tasks of a run while one of them is marked, and asks again.
fn clear_what_has_changed(service: &Service, page: &Page, form: &str) {
    let run = service.trigger("mapped", &json!({ "count": 120 }));
    service.wait(run, "failed");
    let failed = || {
        let all = states(service, run).into_iter();
        all.filter(|(_, state)| state == "failed").map(|(task, _)| task).collect::<Vec<_>>()
    };
    assert_eq!(failed(), ["square[13]", "square[110]"]);
    page.open(&format!("/runs/{run}"));
    let has_script = form.starts_with("dialog");
    if has_script {
        page.click("main a[data-dialog][href$='/clear']");
        page.wait_for("document.querySelector('dialog')?.open === true");
    } else {
        page.follow("main a[data-dialog][href$='/clear']");
    }
    page.eval(&format!("document.querySelector('{form} [name=which]').value = 'failed'"));
    let preview_again = format!("{form} button[formmethod=get]");
    let click = |css: &str| if has_script { page.click(css) } else { page.follow(css) };
    click(&preview_again);
    page.wait_for(&format!("document.querySelector('{form} button.primary')?.innerText === 'Clear 3 tasks'"));
    // Meanwhile.
    let mark = json!({ "state": "skipped", "tasks": ["square[110]"] });
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/mark"), &mark).status, 200);
    let before = states(service, run);
    page.fill(&format!("{form} [name=reason]"), "the customer is back");
    click(&format!("{form} button.primary"));
    let banner = if has_script { "dialog .banner" } else { "main .banner" };
    page.wait_for(&format!("document.querySelector('{banner}')?.innerText.includes('since the preview') === true"));
    assert_eq!(states(service, run), before, "nothing was done");
    assert_eq!(page.text(&format!("{form} button.primary")), "Clear 2 tasks", "the difference is shown");
    let reason = page.eval(&format!("document.querySelector('{form} [name=reason]').value"));
    assert_eq!(reason, "the customer is back", "what was typed stays");
    click(&format!("{form} button.primary"));
    page.wait_for(&format!("location.pathname === '/runs/{run}' && !document.querySelector('dialog')?.open"));
    page.wait_for("document.querySelector('#history')?.innerText.includes('the customer is back') === true");
    service.wait(run, "failed");
    assert_eq!(failed(), ["square[13]"], "what was marked is left alone");
    // The browser says on its console that the first answer was 409.
    let others = |problem: &String| !problem.contains("409") && !problem.contains("412");
    assert_eq!(page.problems().into_iter().filter(others).collect::<Vec<_>>(), Vec::<String>::new());
}

/// Number 8.
#[test]
fn what_has_changed_since_the_preview_is_shown_before_it_is_cleared() {
    let service = empty();
    let page = Page::new(service.address);
    page.hasten();
    clear_what_has_changed(&service, &page, "dialog .form");
    // The focus is where it was before the dialog.
    assert_eq!(page.eval("document.querySelector('dialog').open"), false);
    let page = Page::new(service.address);
    page.without_scripts();
    clear_what_has_changed(&service, &page, "main .form");
}

/// Marks the failed task of a run by the form and checks the effect against the preview.
fn mark_by_hand(service: &Service, page: &Page) {
    let run = service.trigger("mapped", &json!({ "count": 20 }));
    service.wait(run, "failed");
    let before = states(service, run);
    page.open(&format!("/runs/{run}"));
    let form = page.eval("document.querySelector(\"main a[href*='/mark']\").getAttribute('href')");
    page.open(form.as_str().expect("a link to the form"));
    assert_eq!(page.eval("document.querySelector('[name=tasks]').value"), "square[13]", "it begins with what failed");
    let wrong = "document.querySelector('[aria-invalid]')?.getAttribute('name')";
    assert_eq!(page.eval(wrong), "value", "other tasks take its value");
    page.fill("[name=value]", "169");
    page.follow(".form button[formmethod=get]");
    assert_eq!(page.texts(".affected li"), ["square[13] failed → success"]);
    let notes = page.text(".notes");
    assert!(notes.contains(&format!("{} other tasks stay as they are", before.len() - 1)), "{notes}");
    assert!(notes.contains("total did not run because of these"), "{notes}");
    assert_eq!(states(service, run), before, "a preview changes nothing");
    // The browser asks for a reason before it sends anything.
    assert_eq!(page.eval("document.querySelector('.form').checkValidity()"), false);
    page.fill("[name=reason]", "counted by hand");
    page.follow(".form button.primary");
    assert_eq!(page.address(), format!("/runs/{run}"));
    let mut expected = before;
    let marked = expected.iter_mut().find(|(task, _)| task == "square[13]").expect("it has run");
    marked.1 = "success".to_owned();
    assert_eq!(states(service, run), expected, "what was shown is marked, and nothing else");
    let entry = audited(service, run, "mark");
    assert_eq!((&entry["reason"], &entry["outcome"]), (&json!("counted by hand"), &json!("applied")), "{entry}");
    // What follows is decided anew.
    page.follow("main form[action$='/resume'] button");
    service.wait(run, "success");
    page.assert_clean();
}

/// Numbers 7 and 9, of marks.
#[test]
fn what_is_marked_is_what_the_form_has_shown() {
    let service = empty();
    mark_by_hand(&service, &Page::new(service.address));
    let page = Page::new(service.address);
    page.without_scripts();
    mark_by_hand(&service, &page);
}

/// Number 9.
#[test]
fn forms_work_without_scripts() {
    let service = empty();
    let page = Page::new(service.address);
    page.without_scripts();
    clear_by_hand(&service, &page);

    page.open("/dags/daily_report");
    page.follow("a[href$='/pause']");
    page.fill("[name=reason]", "disk swap");
    page.follow(".form button");
    assert!(page.text("main").contains("disk swap"), "{}", page.text("main"));
    page.follow("a[href$='/unpause']");
    page.follow(".form button");
    assert_eq!(page.count("a[href$='/unpause']"), 0, "it is not paused any more");

    page.open("/dags/asking/trigger");
    page.follow(".form button");
    let run = page.address();
    page.follow("a[href$='/cancel']");
    page.follow(".form button");
    assert_eq!(page.address(), run);
    page.assert_clean();
}

/// Number 11.
#[test]
fn a_run_is_started_by_the_form_and_mistakes_are_shown_at_their_fields() {
    let service = empty();
    let page = Page::new(service.address);
    page.open("/dags/mapped/trigger");
    page.fill("[name='p.count']", "many");
    page.fill("[name='p.customer']", "<b>Kim & sons</b>");
    page.follow(".form button");
    // The browser says on its console that the answer was 422.
    assert!(page.problems().iter().all(|problem| problem.contains("422")));
    assert_eq!(page.count("[name='p.count'][aria-invalid=true]"), 1, "{}", page.text("main"));
    assert_eq!(page.count("[aria-invalid]"), 1, "only the wrong field is marked");
    let described = page.eval(
        "document.getElementById(document.querySelector('[aria-invalid]').getAttribute('aria-describedby')).innerText",
    );
    assert!(described.as_str().is_some_and(|help| help.contains("many")), "{described}");
    let typed = page.eval("document.querySelector(\"[name='p.customer']\").value");
    assert_eq!(typed, "<b>Kim & sons</b>", "what was typed stays");
    page.fill("[name='p.count']", "12");
    page.follow(".form button");
    let run = page.address().trim_start_matches("/runs/").parse().expect("a run");
    service.wait(run, "success");
    page.open("/runs");
    assert_eq!(page.texts("main tbody .name").first().map(String::as_str), Some("mapped"));
    page.assert_clean();
}

/// What the tasks of a run of `typed` were given.
fn given(service: &Service, run: i64) -> [Value; 2] {
    service.wait(run, "success");
    ["counts_of", "words_of"].map(|task| service.json(&format!("/api/v1/runs/{run}/values/{task}")))
}

/// Number 11: a number in a range, a fraction, a text with a pattern, a day, a time and a list, all
/// of them wrong and then right. The lines on the page start the same run.
#[test]
fn each_type_of_a_parameter_has_its_mistake_at_its_field_and_its_value_in_the_lines_that_are_shown() {
    const WRONG: [(&str, [&str; 2]); 6] = [
        ("count", ["ten", "10"]),
        ("share", ["half", "0,5"]),
        ("code", ["A1", "a11"]),
        ("day", ["2026-02-30", "today"]),
        ("at", ["noon", "2026-01-31T25:00:00Z"]),
        ("tables", ["1, 2", "70000"]),
    ];
    const RIGHT: [(&str, &str); 6] = [
        ("count", "7"),
        ("share", "0.25"),
        ("code", "b2"),
        ("day", "2026-02-28"),
        ("at", "2026-01-31T06:00:00Z"),
        ("tables", "3\n65535"),
    ];

    let service = large(&["retried=1"]);
    let page = Page::new(service.address);
    page.open("/dags/typed/trigger");
    let field = |name: &str| format!("[name='p.{name}']");
    let value = |name: &str| page.eval(&format!("document.querySelector(\"{}\").value", field(name)));
    for attempt in 0..2 {
        for (name, wrong) in WRONG {
            page.fill(&field(name), wrong[attempt]);
        }
        page.follow(".form button.primary");
        // The browser says on its console that the answer was 422.
        assert!(page.problems().iter().all(|problem| problem.contains("422")));
        assert!(page.text(".banner.bad").contains("6 fields are not valid"), "{}", page.text("main"));
        for (name, wrong) in WRONG {
            let help = page.eval(&format!(
                "(e => e.getAttribute('aria-invalid') === 'true' && \
                 document.getElementById(e.getAttribute('aria-describedby')).querySelector('.bad-text').innerText)\
                 (document.querySelector(\"{}\"))",
                field(name)
            ));
            assert!(help.as_str().is_some_and(|help| !help.is_empty()), "{name}: {help}");
            assert_eq!(value(name), wrong[attempt], "what was typed stays");
        }
    }
    assert_eq!(service.json("/api/v1/runs?dag=typed"), json!([]), "nothing has run");

    for (name, right) in RIGHT {
        page.eval(&format!("document.querySelector(\"{}\").value = {}", field(name), json!(right)));
    }
    page.eval("document.querySelector(\"[name='p.dry']\").value = 'true'");
    page.follow(".form button[formmethod=get]");
    assert_eq!(page.count("[aria-invalid]"), 0, "{}", page.text("main"));
    for (name, right) in RIGHT {
        assert_eq!(value(name), right, "the preview keeps it");
    }
    let lines = page.texts(".steps code");
    assert_eq!(lines.len(), 2, "{lines:?}");
    page.follow(".form button.primary");
    let run: i64 = page.address().trim_start_matches("/runs/").parse().expect("a run");
    let expected = given(&service, run);
    assert_eq!(expected, [json!("7 0.25 [3, 65535]"), json!("b2 true 2026-02-28 2026-01-31T06:00:00Z")]);

    // The lines begin with the name of the program, and with curl.
    let built = program("large");
    let directory = Path::new(built.get_program()).parent().expect("it lies in a directory");
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap_or_default());
    for (later, line) in (run + 1..).zip(lines) {
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", &line]).env("PATH", &path).stdin(Stdio::null()).output();
        let output = output.expect("a shell starts");
        assert!(output.status.success(), "{line}: {output:?}");
        assert_eq!(given(&service, later), expected, "{line}");
    }
    page.assert_clean();
}
