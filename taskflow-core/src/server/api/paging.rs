//! Pages of lists.
//!
//! 1. A list has an order, and each of its entries a place in it: its name, its number, or several
//!    of them. A page begins after a place, whatever has been added or has gone in between: what
//!    was there all the time is on exactly one page.
//! 2. The header `Link` of a page leads to the next one; the last page has none. To a client, the
//!    place in it, `after`, is any text.

use axum::http::{HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::document;
use crate::server::base_path;
use crate::server::call::Call;
use crate::server::problem::Problem;
use crate::server::routes::Answer;
use crate::store::DeliveryPlace;

/// The parameter with the place.
const AFTER: &str = "after";
/// What stands in a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A part of a list.
pub(super) struct Page<T, P> {
    pub(super) entries: Vec<T>,
    /// The place of the last entry, if there are more.
    pub(super) next: Option<P>,
}

impl<T, P> Page<T, P> {
    /// At most `most` entries of a list that begins here.
    pub(super) fn first(mut entries: Vec<T>, most: usize, place_of: impl Fn(&T) -> P) -> Self {
        let more = entries.len() > most;
        entries.truncate(most);
        let next = entries.last().filter(|_| more).map(place_of);
        Page { entries, next }
    }

    /// The page of a list in the order of its places that the request asks for; all of it, if it
    /// names no limit.
    ///
    /// # Errors
    ///
    /// When `after` is no place.
    pub(super) fn of(call: &Call, mut all: Vec<T>, place_of: impl Fn(&T) -> P) -> Result<Self, Problem>
    where
        P: Ord + DeserializeOwned,
    {
        if let Some(after) = place::<P>(call)? {
            all.retain(|entry| place_of(entry) > after);
        }
        Ok(Page::first(all, call.size("limit").unwrap_or(usize::MAX), place_of))
    }
}

impl<T: Serialize, P: Serialize> Page<T, P> {
    /// The response, with the link to the next page.
    pub(super) fn answer(&self, call: &Call) -> Answer {
        let next = self.next.as_ref().map(|place| serde_json::to_string(place).unwrap_or_default());
        linked(call, document(call, &self.entries), AFTER, next)
    }
}

/// The place that the request names.
///
/// # Errors
///
/// When it is none.
pub(super) fn place<P: DeserializeOwned>(call: &Call) -> Result<Option<P>, Problem> {
    call.text(AFTER).map(place_of).transpose()
}

fn place_of<P: DeserializeOwned>(text: &str) -> Result<P, Problem> {
    serde_json::from_str(text).map_err(|_| no_place())
}

/// For fuzzing: reads a text as a place of each kind of list.
pub(in crate::server) fn read_any(text: &str) {
    let _ = (place_of::<String>(text), place_of::<i64>(text), place_of::<(bool, String)>(text));
    let _ = place_of::<DeliveryPlace>(text);
}

pub(super) fn no_place() -> Problem {
    Problem::bad_request("`after` is not a place of a page").at(AFTER).next("leave it out for the first page")
}

/// A response with the link to the page at a place, which a parameter names.
pub(super) fn linked(call: &Call, answer: Answer, parameter: &str, next: Option<String>) -> Answer {
    let mut response = answer?;
    if let Some(place) = next
        && let Ok(link) = HeaderValue::from_str(&next_page(call, parameter, &place))
    {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// The link, with the other parameters as they are.
fn next_page(call: &Call, parameter: &str, place: &str) -> String {
    let mut query = String::new();
    let mut add = |name: &str, text: &str| {
        // A client has chosen the name, if it is that of a parameter of runs.
        query += &format!("{}={}&", utf8_percent_encode(name, PLAIN), utf8_percent_encode(text, PLAIN));
    };
    for (name, value) in call.args().iter().filter(|(name, _)| *name != parameter) {
        match value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).for_each(|text| add(name, text)),
            Value::String(text) => add(name, text),
            value => add(name, &value.to_string()),
        }
    }
    let place = utf8_percent_encode(place, PLAIN);
    format!("<{}{}?{query}{parameter}={place}>; rel=\"next\"", base_path::current(), call.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_next_one_if_there_are_more_entries() {
        let page = |most| Page::first(vec![1, 2, 3], most, |entry| *entry);
        assert_eq!((page(2).entries, page(2).next), (vec![1, 2], Some(2)));
        assert_eq!((page(3).entries, page(3).next), (vec![1, 2, 3], None));
        assert_eq!(page(usize::MAX).next, None);
    }
}
