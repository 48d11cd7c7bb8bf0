//! What each role is shown: the pages that its links lead to, and nothing that it would be refused.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use crate::access::axe_violations;
use crate::everywhere::{assert_ground, assert_nothing_was_made_of_texts};
use crate::home::Service;
use crate::page::Page;
use crate::site::{PASSWORD, full, kind, log_in};

/// A user with a role for all DAGs, or for some.
#[derive(Clone, Copy, Debug)]
struct Walker {
    name: &'static str,
    role: &'static str,
    dags: &'static [&'static str],
}

/// They have runs of each state, a backfill and a question; `on_orders`, which their events start,
/// is none of them.
const SOME: &[&str] = &["hostile", "mapped", "waiting", "daily_report"];

/// What the others have, and nobody with a role for [`SOME`] is to see.
const OTHERS: [&str; 5] = ["ad_spend", "orders_hourly", "on_orders", "skipping", "writes_much"];

const WALKERS: [Walker; 6] = [
    Walker { name: "lee", role: "viewer", dags: &[] },
    Walker { name: "mia", role: "operator", dags: &[] },
    Walker { name: "noa", role: "admin", dags: &[] },
    Walker { name: "ona", role: "viewer", dags: SOME },
    Walker { name: "pia", role: "operator", dags: SOME },
    Walker { name: "quy", role: "admin", dags: SOME },
];

/// Kinds of pages, and the right that leads to them.
const REACHED: &[(&str, Right)] = &[
    ("/", Right::View),
    ("/account", Right::View),
    ("/approvals", Right::View),
    ("/approvals/{}/release", Right::View),
    ("/assets", Right::View),
    ("/backfills", Right::View),
    ("/backfills/{}", Right::View),
    ("/dags", Right::View),
    ("/dags/{}", Right::View),
    ("/dags/{}/calendar", Right::View),
    ("/dags/{}/durations", Right::View),
    ("/dags/{}/grid", Right::View),
    ("/dags/{}/slots", Right::View),
    ("/dags/{}/tasks/{}", Right::View),
    ("/dags/{}/versions", Right::View),
    ("/deadlines", Right::View),
    ("/events", Right::View),
    ("/runs", Right::View),
    ("/runs/{}", Right::View),
    ("/runs/{}/events", Right::View),
    ("/runs/{}/tasks/{}", Right::View),
    ("/runs/{}/log", Right::View),
    ("/runs/{}/tasks/{}/{}", Right::View),
    ("/pools", Right::ViewAll),
    ("/runs/{}/values", Right::Operate),
    ("/runs/{}/clear", Right::Operate),
    ("/runs/{}/cancel", Right::Operate),
    ("/runs:clear", Right::Operate),
    ("/runs:cancel", Right::Operate),
    ("/dags/{}/backfill", Right::Operate),
    ("/dags/{}/pause", Right::Operate),
    ("/dags/{}/trigger", Right::Operate),
    ("/dags:pause", Right::Operate),
    ("/dags:unpause", Right::Operate),
    ("/events/emit", Right::EmitAll),
    ("/runs/{}/mark", Right::Admin),
    ("/audit", Right::Admin),
    ("/doctor", Right::AdminAll),
    ("/settings", Right::AdminAll),
    ("/users", Right::AdminAll),
];

#[derive(Clone, Copy, Debug)]
enum Right {
    View,
    ViewAll,
    Operate,
    EmitAll,
    Admin,
    AdminAll,
}

impl Walker {
    fn may(self, right: Right) -> bool {
        let (is_admin, sees_all) = (self.role == "admin", self.dags.is_empty());
        match right {
            Right::View => true,
            Right::ViewAll => sees_all,
            Right::Operate => self.role != "viewer",
            Right::EmitAll => self.role != "viewer" && sees_all,
            Right::Admin => is_admin,
            Right::AdminAll => is_admin && sees_all,
        }
    }
}

/// Where each walk begins: at home, at a run that has failed, at one that has not ended, and at a
/// mapped task.
const BEGINNINGS: [&str; 4] = ["/", "/runs/1", "/runs/5", "/runs/2/tasks/square"];

/// Which elements a page is made of, whatever they say.
const OUTLINE: &str = r"
[...new Set(Array.from(document.querySelectorAll('body *'), element => [
    element.parentElement.localName, element.localName, element.getAttribute('class'), element.getAttributeNames(),
].join(' ')))].sort().join()";

/// Everything on a page that sends a request, one text for each: the method, the address, the body
/// and the words of its button, with tabs between them. All rows of a list are selected first. The
/// word of a link to a file is `file`.
const CONTROLS: &str = r"
(() => {
    const found = [];
    const add = (method, href, body, words) => {
        const url = new URL(href, document.baseURI);
        if (url.origin !== location.origin) return;
        if (method === 'GET' && body) url.search = body;
        found.push([method, url.pathname + url.search, method === 'GET' ? '' : body, words].join('\t'));
    };
    for (const link of document.querySelectorAll('a[href]'))
        add('GET', link.getAttribute('href'), '', link.hasAttribute('download') ? 'file' : '');
    for (const box of document.querySelectorAll('.pick input')) box.checked = true;
    for (const form of document.forms) {
        const buttons = Array.from(form.elements).filter(e => e.type === 'submit');
        for (const button of buttons.length ? buttons : [undefined]) {
            const attribute = name => button?.getAttribute('form' + name) ?? form.getAttribute(name) ?? '';
            const body = new URLSearchParams(new FormData(form, button)).toString();
            add(attribute('method').toUpperCase() || 'GET', attribute('action'), body, button?.textContent ?? '');
        }
    }
    return found;
})()";

/// A request of a page.
#[derive(Clone, Debug)]
struct Control {
    method: String,
    address: String,
    body: String,
    /// On its button.
    words: String,
}

impl Control {
    fn of(page: &Page) -> Vec<Control> {
        let parse = |text: &String| {
            let mut parts = text.splitn(4, '\t').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            Control { method: next(), address: next(), body: next(), words: next() }
        };
        page.strings(CONTROLS).iter().map(parse).collect()
    }

    fn kind(&self) -> String {
        kind_of_page(&self.address)
    }

    /// Whether it ends the session of who sends it.
    fn ends_session(&self) -> bool {
        ["/logout", "/account/sessions/end"].contains(&self.address.as_str())
    }
}

/// The kind of a page, whatever it shows of its object.
fn kind_of_page(address: &str) -> String {
    kind(address.split('?').next().unwrap_or_default())
}

/// Sends requests as the page would, one after the other. Returns those that were refused; of
/// links, those that lead to no page. An answer can be given once: later ones find no question.
fn refused(page: &Page, controls: &[Control]) -> Vec<String> {
    let requests: Vec<Value> =
        controls.iter().map(|control| json!([control.method, control.address, control.body])).collect();
    let refused = page.strings(&format!(
        r"(async requests => {{
            const refused = [];
            for (const [method, address, body] of requests) {{
                const sent = method === 'GET' ? {{}} : {{ method, body: new URLSearchParams(body) }};
                const answer = await fetch(address, sent);
                await answer.text();
                const isOut = new URL(answer.url).pathname === '/login';
                const codes = address.startsWith('/approvals/') ? [401, 403] : [401, 403, 404];
                const isRefused = isOut || (method === 'GET' ? !answer.ok : codes.includes(answer.status));
                if (isRefused) refused.push(`${{method}} ${{address}} ${{body}}: ${{answer.status}}`);
            }}
            return refused;
        }})({})",
        json!(requests)
    ));
    // Those that were refused are also on the console.
    drop(page.problems());
    refused
}

/// What there is to say about the pages of a role.
#[derive(Default)]
struct Walk {
    /// The kinds of pages that were opened.
    kinds: BTreeSet<String>,
    /// The forms that change something.
    forms: Vec<Control>,
    wrong: Vec<String>,
}

/// Opens a page of each kind to which links lead from the first ones, and asks for everything else
/// that they lead to. Pages that are `alike` were checked by the rules of axe already.
fn walk_as(page: &Page, walker: Walker, alike: &mut BTreeSet<String>) -> Walk {
    /// How many addresses of one kind are asked for.
    const OF_A_KIND: usize = 6;

    let mut walk = Walk::default();
    let mut asked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut forms: BTreeMap<(String, String), Control> = BTreeMap::new();
    let mut beginnings = BTreeSet::from(BEGINNINGS);
    let mut next = VecDeque::from(BEGINNINGS.map(str::to_owned));
    while let Some(path) = next.pop_front() {
        let is_beginning = beginnings.remove(&*path);
        if !walk.kinds.insert(kind_of_page(&path)) && !is_beginning {
            continue;
        }
        page.open(&path);
        let is_page = page.eval("document.contentType") == "text/html";
        let mut wrong = page.problems();
        if is_page {
            // It is open while the theme of the system changes, and changes back.
            for theme in ["dark", "light"] {
                page.media("prefers-color-scheme", theme);
                assert_ground(page, &path, theme);
            }
            assert_nothing_was_made_of_texts(page, &path);
            let outline = page.eval(OUTLINE).as_str().unwrap_or_default().to_owned();
            wrong.extend(page.problems());
            if alike.insert(format!("{} {outline}", kind_of_page(&path))) {
                wrong.extend(axe_violations(page));
            }
            let text = page.eval("document.documentElement.outerHTML");
            let others = OTHERS.iter().filter(|_| !walker.dags.is_empty());
            let named = others.filter(|name| text.as_str().unwrap_or_default().contains(*name));
            wrong.extend(named.map(|name| format!("it names {name}")));
            let (asks, changes): (Vec<_>, Vec<_>) = Control::of(page).into_iter().partition(|one| one.method == "GET");
            let is_new = |control: &Control| {
                let of_kind = asked.entry(control.kind()).or_default();
                of_kind.len() < OF_A_KIND && of_kind.insert(control.address.clone())
            };
            let asks: Vec<Control> = asks.into_iter().filter(is_new).collect();
            wrong.extend(refused(page, &asks));
            // A browser saves a file, and opens no page.
            let pages = asks.into_iter().filter(|control| control.words != "file");
            next.extend(pages.map(|control| control.address));
            let changes = changes.into_iter().filter(|control| !control.ends_session());
            forms.extend(changes.map(|control| ((control.kind(), control.words.clone()), control)));
        }
        walk.wrong.extend(wrong.into_iter().map(|wrong| format!("{path} as {walker:?}: {wrong}")));
    }
    walk.forms = forms.into_values().collect();
    walk
}

/// Adds the users. From then on everybody has to be known.
fn add_users(service: &Service) {
    let kim = json!({ "name": "kim", "password": PASSWORD, "role": "admin" });
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    let token = service.call_of("pages", &["tokens", "create", "root", "--role", "admin"]);
    let bearer = format!("Bearer {}", token.stdout.trim());
    for Walker { name, role, dags } in WALKERS {
        let user = json!({ "name": name, "password": PASSWORD, "role": role, "dags": dags });
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        let added = service.send("POST", "/api/v1/users", &headers, &user.to_string());
        assert_eq!(added.status, 201, "{added:?}");
    }
}

/// Number 33, with numbers 1, in both themes, 25, 26 and 27 for each role.
#[test]
fn each_role_reaches_its_pages_and_is_shown_nothing_that_it_would_be_refused() {
    let service = full();
    add_users(&service);
    let (mut seen, mut wrong, mut alike) = (Vec::new(), Vec::new(), BTreeSet::new());
    for walker in WALKERS {
        let page = Page::new(service.address);
        log_in(&page, walker.name, "/");
        let walk = walk_as(&page, walker, &mut alike);
        let unexpected = REACHED.iter().filter(|(kind, right)| walk.kinds.contains(*kind) != walker.may(*right));
        wrong.extend(unexpected.map(|(kind, right)| format!("{walker:?}: {kind} needs {right:?}")));
        wrong.extend(walk.wrong);
        seen.push((walker, page, walk.forms));
    }
    // What the forms change is changed after all walks. Who manages users comes last, and lets go
    // of them.
    seen.sort_by_key(|(walker, ..)| walker.may(Right::AdminAll));
    for (walker, page, forms) in seen {
        wrong.extend(refused(&page, &forms).into_iter().map(|refused| format!("{walker:?} sends {refused}")));
    }
    assert!(wrong.is_empty(), "{} in all: {wrong:#?}", wrong.len());
}
