//! A page of the browser, as a person and as a developer sees it.
//!
//! ```ignore
//! let page = Page::new(service.address);
//! page.open("/dags/mapped/trigger");
//! page.fill("#p\\.count", "20");
//! page.follow(".form button");
//! page.wait_for("document.title.startsWith('✕')");
//! assert_eq!(page.text("h1"), "mapped · run 1");
//! page.assert_clean();
//! ```
//!
//! Each page has a browser context of its own: no cookie, no cache of another test. Whatever waits
//! has a limit, and says what it has waited for.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use serde_json::{Value, json};
use taskflow_tests::common::{PATIENCE, pauses};

use crate::chromium::{Browser, browser};

/// Cookies and a cache that other tests do not have. It ends with its last page.
struct Context {
    browser: &'static Browser,
    id: String,
}

/// A page in a context of its own. It is closed when it is dropped.
pub(crate) struct Page {
    browser: &'static Browser,
    /// `http://127.0.0.1:1234`
    origin: String,
    context: Rc<Context>,
    session: String,
    /// How many events there were when [`Page::problems`] was last called.
    seen: Cell<usize>,
}

/// What a page costs the browser, once what is not used any more is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) nodes: u64,
    pub(crate) listeners: u64,
    /// Bytes of the heap of scripts.
    pub(crate) heap: u64,
}

impl Page {
    /// An empty page for the server at an address, 1280 by 900 pixels in the light theme.
    pub(crate) fn new(server: SocketAddr) -> Page {
        let browser = browser();
        let created = browser.call("", "Target.createBrowserContext", json!({ "disposeOnDetach": true }));
        let created = created.expect("there can be another context");
        let id = created["browserContextId"].as_str().unwrap_or_default().to_owned();
        Page::within(Rc::new(Context { browser, id }), format!("http://{server}"), true)
    }

    /// Another page with the cookies of this one, in a window of its own: both are visible.
    pub(crate) fn beside(&self) -> Page {
        Page::within(Rc::clone(&self.context), self.origin.clone(), true)
    }

    /// The same, for another server.
    pub(crate) fn beside_at(&self, server: SocketAddr) -> Page {
        Page::within(Rc::clone(&self.context), format!("http://{server}"), true)
    }

    /// Another tab in the window of this one, which it hides.
    pub(crate) fn tab(&self) -> Page {
        Page::within(Rc::clone(&self.context), self.origin.clone(), false)
    }

    /// Shows the tab, which hides the others of its window.
    pub(crate) fn show(&self) {
        self.call("Page.bringToFront", json!({}));
        self.wait_for("!document.hidden");
    }

    fn within(context: Rc<Context>, origin: String, has_window: bool) -> Page {
        let browser = context.browser;
        let target = json!({ "url": "about:blank", "browserContextId": context.id, "newWindow": has_window });
        let target = browser.call("", "Target.createTarget", target).expect("there can be another page");
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("", "Target.attachToTarget", attach).expect("the page is there");
        let session = attached["sessionId"].as_str().unwrap_or_default().to_owned();
        let page = Page { browser, origin, context, session, seen: Cell::new(0) };
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.call("Page.setLifecycleEventsEnabled", json!({ "enabled": true }));
        page.size(1280, 900);
        page.media("prefers-color-scheme", "light");
        page
    }

    /// Opens an address of the server and waits until it is loaded.
    #[track_caller]
    pub(crate) fn open(&self, path: &str) {
        let from = self.count_events();
        let opened = self.call("Page.navigate", json!({ "url": format!("{}{path}", self.origin) }));
        if let Some(error) = opened["errorText"].as_str() {
            panic!("{path} does not open: {error}");
        }
        // Another part of the page that is open has no loader.
        if let Some(loader) = opened["loaderId"].as_str() {
            self.browser.event(&self.session, from, &format!("{path} is loaded"), |event| {
                (is_load(event) && event["params"]["loaderId"] == loader).then_some(())
            });
        }
    }

    /// Clicks what leads to another page, and waits until that is loaded.
    #[track_caller]
    pub(crate) fn follow(&self, css: &str) {
        self.follow_element(&the(css));
    }

    /// The same, of what has these words for a person.
    #[track_caller]
    pub(crate) fn follow_words(&self, words: &str) {
        self.follow_element(&the_control(words));
    }

    #[track_caller]
    fn follow_element(&self, element: &str) {
        let from = self.count_events();
        self.click_element(element);
        self.browser
            .event(&self.session, from, &format!("{element} leads to a page"), |event| is_load(event).then_some(()));
    }

    /// Clicks the middle of the first element, as a mouse does.
    #[track_caller]
    pub(crate) fn click(&self, css: &str) {
        self.click_element(&the(css));
    }

    /// Clicks the first link or button that has these words for a person.
    #[track_caller]
    pub(crate) fn click_words(&self, words: &str) {
        self.click_element(&the_control(words));
    }

    #[track_caller]
    fn click_element(&self, element: &str) {
        let middle = self.middle(element);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Moves the mouse over the middle of the first element.
    #[track_caller]
    pub(crate) fn hover(&self, css: &str) {
        let middle = self.middle(&the(css));
        self.call("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": middle[0], "y": middle[1] }));
    }

    /// Scrolls to an element, and returns where its middle is in the window.
    #[track_caller]
    fn middle(&self, element: &str) -> Value {
        self.eval(&format!(
            "(() => {{ const e = {element}; e.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
             const r = e.getClientRects()[0]; return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ))
    }

    /// Replaces what is typed into a field.
    #[track_caller]
    pub(crate) fn fill(&self, css: &str, text: &str) {
        self.fill_element(&the(css), text);
    }

    /// The same, of the field with this label.
    #[track_caller]
    pub(crate) fn fill_field(&self, label: &str, text: &str) {
        self.fill_element(&the_field(label), text);
    }

    #[track_caller]
    fn fill_element(&self, element: &str, text: &str) {
        self.eval(&format!("{{ const e = {element}; e.focus(); e.select?.(); }}"));
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key such as `Tab`, `Shift+Tab`, `Enter` or `ArrowLeft`, or one with a character.
    pub(crate) fn press(&self, key: &str) {
        const SHIFT: u8 = 8;

        let (modifiers, key) = key.strip_prefix("Shift+").map_or((0, key), |key| (SHIFT, key));
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let text = match key {
            "Enter" => "\r",
            character if character.chars().count() == 1 => character,
            _ => "",
        };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
                "modifiers": modifiers,
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Goes back to the page before, as the button of the browser does.
    pub(crate) fn back(&self) {
        // The page may be gone before it answers.
        let _ = self.browser.call(&self.session, "Runtime.evaluate", json!({ "expression": "history.back()" }));
    }

    /// The value of an expression in the page. A promise is waited for.
    #[track_caller]
    pub(crate) fn eval(&self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", params);
        if let Some(exception) = answer.get("exceptionDetails") {
            panic!("{expression}: {}", exception["exception"]["description"]);
        }
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true in the page. It may be loading another page meanwhile.
    #[track_caller]
    pub(crate) fn wait_for(&self, expression: &str) {
        let (start, mut pauses) = (Instant::now(), pauses());
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        while !self
            .browser
            .call(&self.session, "Runtime.evaluate", params.clone())
            .is_ok_and(|answer| answer["result"]["value"] == true)
        {
            assert!(start.elapsed() < PATIENCE, "`{expression}` does not come true at {}", self.address());
            std::thread::sleep(pauses());
        }
    }

    /// The visible text of the first element, or its whole text if the browser has not drawn it.
    #[track_caller]
    pub(crate) fn text(&self, css: &str) -> String {
        self.eval(&format!("(e => {TEXT})({})", the(css))).as_str().unwrap_or_default().to_owned()
    }

    /// The visible texts of all elements.
    #[track_caller]
    pub(crate) fn texts(&self, css: &str) -> Vec<String> {
        self.strings(&format!("Array.from(document.querySelectorAll({}), e => {TEXT})", Value::from(css)))
    }

    /// The value of an expression that is an array of texts.
    #[track_caller]
    pub(crate) fn strings(&self, expression: &str) -> Vec<String> {
        let value = self.eval(expression);
        let texts = value.as_array().unwrap_or_else(|| panic!("{expression} is no array: {value}"));
        texts.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn count(&self, css: &str) -> u64 {
        self.eval(&format!("document.querySelectorAll({}).length", Value::from(css))).as_u64().unwrap_or_default()
    }

    /// The path of the address with its query.
    pub(crate) fn address(&self) -> String {
        self.eval("location.pathname + location.search").as_str().unwrap_or_default().to_owned()
    }

    /// Sets the size of the window in pixels of CSS.
    pub(crate) fn size(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Sets what the user prefers: `prefers-color-scheme` to `dark`, `forced-colors` to `active`.
    pub(crate) fn media(&self, feature: &str, value: &str) {
        let features = json!({ "features": [{ "name": feature, "value": value }] });
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Shows the page as it is printed.
    pub(crate) fn print(&self) {
        self.call("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    }

    /// Lets timers of pages that are opened from now on take a hundredth of their time, so that a
    /// test need not wait for a page that asks for changes five times a second.
    pub(crate) fn hasten(&self) {
        let source = "for (const name of ['setTimeout', 'setInterval']) { const own = window[name]; \
                      window[name] = (call, millis, ...rest) => own(call, millis / 100, ...rest); }";
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source }));
    }

    /// Sends a header with each request from now on.
    pub(crate) fn send_header(&self, name: &str, value: &str) {
        self.call("Network.setExtraHTTPHeaders", json!({ "headers": { name: value } }));
    }

    /// What it costs now.
    pub(crate) fn cost(&self) -> Cost {
        self.call("HeapProfiler.collectGarbage", json!({}));
        let counters = self.call("Memory.getDOMCounters", json!({}));
        let heap = self.call("Runtime.getHeapUsage", json!({}));
        let number = |value: &Value| value.as_f64().unwrap_or_default() as u64;
        Cost {
            nodes: number(&counters["nodes"]),
            listeners: number(&counters["jsEventListeners"]),
            heap: number(&heap["usedSize"]),
        }
    }

    /// The addresses that the server was asked for since an event with this number, with their
    /// types. What the browser has in its cache is not asked for.
    pub(crate) fn requests(&self, from: usize) -> Vec<(String, String)> {
        let events = self.browser.events(&self.session, from);
        let named = |method: &'static str| events.iter().filter(move |event| event["method"] == method);
        let cached = named("Network.requestServedFromCache").map(|event| &event["params"]["requestId"]);
        let on_disk =
            named("Network.responseReceived").filter(|event| event["params"]["response"]["fromDiskCache"] == true);
        let on_disk = on_disk.map(|event| &event["params"]["requestId"]);
        let cached: Vec<&Value> = cached.chain(on_disk).collect();
        let sent = named("Network.requestWillBeSent").filter(|event| !cached.contains(&&event["params"]["requestId"]));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        sent.map(|event| (text(&event["params"]["request"]["url"]), text(&event["params"]["type"]))).collect()
    }

    /// Runs no scripts of the pages from now on. [`Page::eval`] works all the same.
    pub(crate) fn without_scripts(&self) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    }

    /// What went wrong since the last call: messages on the console, violations of the policy of
    /// the server, exceptions, dialogs, and requests that failed.
    pub(crate) fn problems(&self) -> Vec<String> {
        let events = self.browser.events(&self.session, self.seen.get());
        self.seen.set(self.seen.get() + events.len());
        events.iter().filter_map(problem).collect()
    }

    /// Checks that nothing went wrong since the last check.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let problems = self.problems();
        assert!(problems.is_empty(), "{}: {problems:#?}", self.address());
    }

    /// Sends a command of the protocol to the page.
    #[track_caller]
    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        self.browser.call(&self.session, method, params).unwrap_or_else(|error| panic!("{error}"))
    }

    /// How many events of the protocol there were.
    pub(crate) fn count_events(&self) -> usize {
        self.browser.count_events(&self.session)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // A second panic would hide the first.
        if !std::thread::panicking() {
            let _ = self.browser.call(&self.session, "Page.close", json!({}));
            self.browser.forget(&self.session);
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let context = json!({ "browserContextId": self.id });
            let _ = self.browser.call("", "Target.disposeBrowserContext", context);
        }
    }
}

/// The text of an element `e`.
const TEXT: &str = "(e.innerText || e.textContent).replace(/\\s+/g, ' ').trim()";

/// An expression for the first element; an exception that names it if there is none.
fn the(css: &str) -> String {
    let css = Value::from(css);
    format!("(document.querySelector({css}) ?? (() => {{ throw new Error('no element ' + {css}); }})())")
}

/// An expression for the first visible link or button with these words on it, or to whoever hears
/// it; that of the open dialog, if there is one.
fn the_control(words: &str) -> String {
    let words = Value::from(words);
    format!(
        "(Array.from((document.querySelector('dialog[open]') ?? document).querySelectorAll('a[href], button'))\
         .find(e => e.checkVisibility() && [{TEXT}, e.ariaLabel].includes({words})) \
         ?? (() => {{ throw new Error('nothing to click says ' + {words}); }})())"
    )
}

/// An expression for the field with this label, whatever follows it there.
fn the_field(label: &str) -> String {
    let label = Value::from(label);
    format!(
        "(Array.from((document.querySelector('dialog[open]') ?? document).querySelectorAll('input, select, textarea'))\
         .find(e => e.checkVisibility() && (e.ariaLabel ?? e.labels[0]?.innerText ?? '').startsWith({label})) \
         ?? (() => {{ throw new Error('no field has the label ' + {label}); }})())"
    )
}

fn is_load(event: &Value) -> bool {
    event["method"] == "Page.lifecycleEvent" && event["params"]["name"] == "load"
}

/// What an event says if it is bad news.
fn problem(event: &Value) -> Option<String> {
    let params = &event["params"];
    let words = match event["method"].as_str()? {
        "Runtime.consoleAPICalled" => format!("console.{}: {}", params["type"], params["args"]),
        "Runtime.exceptionThrown" => format!("exception: {}", params["exceptionDetails"]),
        // The test was faster than the page, which focuses its first field when it is drawn.
        "Log.entryAdded" if params["entry"]["text"].as_str()?.starts_with("Autofocus processing was blocked") => {
            return None;
        }
        "Log.entryAdded" => {
            format!("{}: {} {}", params["entry"]["source"], params["entry"]["text"], params["entry"]["url"])
        }
        "Audits.issueAdded" => format!("issue: {}", params["issue"]),
        "Page.javascriptDialogOpening" => format!("dialog: {}", params["message"]),
        "Network.loadingFailed" if params["canceled"] != true => {
            format!("request: {} {}", params["errorText"], params["blockedReason"])
        }
        "Network.responseReceived" if params["response"]["status"].as_u64()? >= 400 => {
            format!("response: {} {}", params["response"]["status"], params["response"]["url"])
        }
        _ => return None,
    };
    Some(words)
}
