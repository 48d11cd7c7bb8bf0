//! What a reader has chosen for all pages: the zone of times, the theme, and the keys.
//!
//! The zone is that of the schedule, their own, or UTC. `?tz=` chooses it, and a cookie keeps the
//! choice, so that links stay free of it: whoever gets a link sees the zone that they have chosen.
//! `mine` is the zone of the browser. The server does not know that zone and shows UTC; a script
//! replaces the texts by the attributes `datetime`.
//!
//! The theme is that of the system unless a cookie names another one. The server writes it into the
//! page, so that the first paint has it. A third cookie says whether keys of one character are off.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use jiff::tz::TimeZone;

use crate::server::auth::cookie_value;

/// The name of the cookie of the zone, and of the parameter.
const NAME: &str = "tz";
/// The name of the cookie of the theme.
const THEME: &str = "theme";
/// The name of the cookie of the keys.
const KEYS: &str = "keys";

tokio::task_local! {
    static CHOSEN: Chosen;
}

/// What a request says.
#[derive(Clone, Debug)]
struct Chosen {
    choice: ZoneChoice,
    theme: &'static str,
    keys_are_off: bool,
    /// The address of the page without `?tz=`, to which a choice is added.
    here: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ZoneChoice {
    #[default]
    Schedule,
    Mine,
    Utc,
}

/// A zone that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ZoneLink {
    pub(crate) words: String,
    pub(crate) title: &'static str,
    pub(crate) href: String,
}

impl ZoneChoice {
    fn named(name: &str) -> Option<ZoneChoice> {
        match name {
            "schedule" => Some(ZoneChoice::Schedule),
            "mine" => Some(ZoneChoice::Mine),
            "utc" => Some(ZoneChoice::Utc),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            ZoneChoice::Schedule => "schedule",
            ZoneChoice::Mine => "mine",
            ZoneChoice::Utc => "utc",
        }
    }
}

/// The choice in a query, and the query without it.
pub(super) fn in_query(query: &str) -> (Option<ZoneChoice>, String) {
    let is_zone = |part: &&str| part.split_once('=').is_some_and(|(name, _)| name == NAME);
    let chosen = query.split('&').rfind(is_zone).and_then(|part| ZoneChoice::named(&part[NAME.len() + 1..]));
    let rest: Vec<&str> = query.split('&').filter(|part| !is_zone(part) && !part.is_empty()).collect();
    (chosen, rest.join("&"))
}

/// The theme that a cookie names; empty for that of the system.
fn theme_in(headers: &HeaderMap) -> &'static str {
    match cookie_value(headers, THEME).as_deref() {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "",
    }
}

impl Chosen {
    /// What a request says, and whether its query says it.
    fn of(uri: &Uri, headers: &HeaderMap) -> (Chosen, bool) {
        let (asked, query) = in_query(uri.query().unwrap_or_default());
        let in_cookie = || cookie_value(headers, NAME).as_deref().and_then(ZoneChoice::named);
        let choice = asked.or_else(in_cookie).unwrap_or_default();
        let keys_are_off = cookie_value(headers, KEYS).as_deref() == Some("off");
        let mark = if query.is_empty() { "?".to_owned() } else { format!("?{query}&") };
        // A reference to the present path: it needs no base path.
        (Chosen { choice, theme: theme_in(headers), keys_are_off, here: mark }, asked.is_some())
    }
}

/// Reads the choice before a page is made, and keeps one that is new.
pub(crate) async fn for_request(request: Request, next: Next) -> Response {
    let (chosen, is_new) = Chosen::of(request.uri(), request.headers());
    let choice = chosen.choice;
    let mut response = CHOSEN.scope(chosen, next.run(request)).await;
    if is_new {
        let cookie = format!("{NAME}={}; Path=/; Max-Age=31536000; SameSite=Lax", choice.name());
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// The zone of a page about a schedule, or about several, and the zones that can be chosen instead.
pub(crate) fn chosen(of_schedule: Option<TimeZone>) -> (TimeZone, Vec<ZoneLink>) {
    let Ok(Chosen { choice, here, .. }) = CHOSEN.try_with(Chosen::clone) else {
        return (of_schedule.unwrap_or(TimeZone::UTC), Vec::new());
    };
    let name = of_schedule.as_ref().and_then(|zone| zone.iana_name()).filter(|name| *name != "UTC");
    let link = |to: ZoneChoice, words: &str, title| ZoneLink {
        words: words.to_owned(),
        title,
        href: format!("{here}{NAME}={}", to.name()),
    };
    let choices = [
        name.map(|name| link(ZoneChoice::Schedule, name, "The time zone of the schedule")),
        Some(link(ZoneChoice::Mine, "Mine", "The time zone of this browser; UTC without a script")),
        Some(link(ZoneChoice::Utc, "UTC", "Coordinated universal time")),
    ];
    // Without a zone of its own, a page has UTC to begin with.
    let now = if name.is_none() && choice == ZoneChoice::Schedule { ZoneChoice::Utc } else { choice };
    let is_other = |link: &ZoneLink| !link.href.ends_with(&format!("={}", now.name()));
    let zones = choices.into_iter().flatten().filter(is_other).collect();
    match choice {
        ZoneChoice::Schedule => (of_schedule.unwrap_or(TimeZone::UTC), zones),
        ZoneChoice::Mine | ZoneChoice::Utc => (TimeZone::UTC, zones),
    }
}

/// The name of the chosen zone.
pub(crate) fn zone_name() -> &'static str {
    CHOSEN.try_with(|chosen| chosen.choice.name()).unwrap_or(ZoneChoice::Schedule.name())
}

/// The theme; empty for that of the system.
pub(crate) fn theme() -> &'static str {
    CHOSEN.try_with(|chosen| chosen.theme).unwrap_or_default()
}

/// Whether keys of one character are off.
pub(crate) fn keys_are_off() -> bool {
    CHOSEN.try_with(|chosen| chosen.keys_are_off).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &'static str, cookie: &'static str) -> (ZoneChoice, String, bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
        let (chosen, is_new) = Chosen::of(&Uri::from_static(uri), &headers);
        (chosen.choice, chosen.here, is_new)
    }

    #[test]
    fn the_address_counts_before_the_cookie_and_keeps_its_other_parameters() {
        assert_eq!(of("/runs", ""), (ZoneChoice::Schedule, "?".to_owned(), false));
        assert_eq!(of("/runs?state=failed", "a=b; tz=utc"), (ZoneChoice::Utc, "?state=failed&".to_owned(), false));
        let both = of("/runs?tz=mine&q=a%20b", "tz=utc");
        assert_eq!(both, (ZoneChoice::Mine, "?q=a%20b&".to_owned(), true));
        assert_eq!(of("/runs?tz=%3Cscript%3E", "tz=%3C"), (ZoneChoice::Schedule, "?".to_owned(), false));
    }

    #[test]
    fn a_page_outside_of_a_request_has_the_zone_of_the_schedule() {
        let seoul = TimeZone::get("Asia/Seoul").unwrap();
        assert_eq!(chosen(Some(seoul.clone())), (seoul, Vec::new()));
    }

    #[test]
    fn a_theme_is_one_of_those_that_exist() {
        let theme = |cookie: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
            Chosen::of(&Uri::from_static("/runs"), &headers).0.theme
        };
        assert_eq!(
            ["", "tz=utc; theme=dark", "theme=light", "theme=system", "theme=\"><b>"].map(theme),
            ["", "dark", "light", "", ""]
        );
    }
}
