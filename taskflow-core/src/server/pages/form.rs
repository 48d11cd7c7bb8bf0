//! Forms that change something.
//!
//! 1. A form is a page of its own, so that it has an address and works without a script.
//! 2. It is sent with POST. The guard of the server refuses what comes from another origin.
//! 3. What was sent is carried out, and the response leads to the page that shows the outcome.
//! 4. If it is refused, the form is shown again with the reason and with what was typed.
//!
//! A server that is read-only does not have these addresses.

use std::collections::BTreeMap;

use askama::Template;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use percent_encoding::percent_decode_str;

use super::escape::html;
use super::frame::{Frame, Place};
use super::preview::Preview;
use super::problem::sentence;
use super::reply::PageProblem;
use crate::journal::Note;
use crate::server::auth::note_of_current;
use crate::server::problem::Problem;
use crate::server::{ServerState, base_path};

/// The response to a form.
pub(crate) type Sent = Result<Response, PageProblem>;

/// The values of a form by the names of their fields. A name may have several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(BTreeMap<String, Vec<String>>);

impl Values {
    /// The values of a form that was sent.
    pub(crate) fn of(headers: &HeaderMap, body: &Bytes) -> Result<Values, Problem> {
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let detail = "a form is sent as application/x-www-form-urlencoded";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        Values::encoded(std::str::from_utf8(body).map_err(|_| Problem::bad_request("the form is not UTF-8"))?)
    }

    /// The values of an address, which a form was sent to with GET.
    pub(crate) fn asked(query: &BTreeMap<String, String>) -> Values {
        let values = query.iter().map(|(name, value)| (name.clone(), vec![value.replace("\r\n", "\n")]));
        Values(values.collect())
    }

    /// The values of the query of an address as it was sent, also those of a name that is repeated.
    pub(crate) fn of_query(query: Option<&str>) -> Result<Values, Problem> {
        Values::encoded(query.unwrap_or_default())
    }

    fn encoded(text: &str) -> Result<Values, Problem> {
        let decoded = |part: &str| {
            let decoded = percent_decode_str(&part.replace('+', " ")).decode_utf8().map(std::borrow::Cow::into_owned);
            decoded.map_err(|_| Problem::bad_request("the form is not UTF-8"))
        };
        let mut values = Values::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            values.0.entry(decoded(name)?).or_default().push(decoded(value)?.replace("\r\n", "\n"));
        }
        Ok(values)
    }

    /// Sets a field, as if it had been sent.
    pub(crate) fn set(&mut self, name: String, value: String) {
        self.0.insert(name, vec![value]);
    }

    /// Whether nothing was sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field was sent, perhaps empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A value without spaces around it; empty if the field is missing. Of several, the last.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The words of a field, which may have been sent several times.
    pub(crate) fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().flat_map(|value| value.split_whitespace())
    }

    /// A value as it was typed, with spaces around it: a password.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0.get(name).and_then(|values| values.last()).map_or("", String::as_str)
    }

    /// Whoever has sent the form, with its reason.
    pub(crate) fn note(&self) -> Note {
        note_of_current(self.get("reason"))
    }
}

/// A field of a form.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) label: String,
    /// The type of the value, in monospace.
    pub(crate) ty: String,
    pub(crate) help: String,
    pub(crate) input: Input,
    pub(crate) value: String,
    pub(crate) placeholder: String,
    pub(crate) is_required: bool,
    pub(crate) error: String,
}

/// How a field is typed in.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Line,
    /// One value a line.
    Lines,
    /// Values with their words.
    Choice(Vec<(String, String)>),
    /// A line, with some values and their words to choose from.
    Suggested(Vec<(String, String)>),
}

impl Field {
    pub(crate) fn line(name: &str, label: &str, help: &str) -> Field {
        Field {
            name: name.to_owned(),
            label: label.to_owned(),
            ty: String::new(),
            help: help.to_owned(),
            input: Input::Line,
            value: String::new(),
            placeholder: String::new(),
            is_required: false,
            error: String::new(),
        }
    }

    pub(crate) fn choice(name: &str, label: &str, options: &[(&str, &str)]) -> Field {
        let options = options.iter().map(|&(value, words)| (value.to_owned(), words.to_owned())).collect();
        Field { input: Input::Choice(options), ..Field::line(name, label, "") }
    }

    /// With the value that was typed.
    pub(crate) fn with(self, values: &Values) -> Field {
        Field { value: values.get(&self.name).to_owned(), ..self }
    }
}

/// Says at a field what is wrong with it.
pub(crate) fn wrong(fields: &mut [Field], name: &str, error: impl Into<String>) {
    if let Some(field) = fields.iter_mut().find(|field| field.name == name) {
        field.error = error.into();
    }
}

/// How many fields are wrong, in a sentence; `None` if all are right.
pub(crate) fn wrong_fields(fields: &[Field]) -> Option<Problem> {
    match fields.iter().filter(|field| !field.error.is_empty()).count() {
        0 => None,
        1 => Some(Problem::invalid("a field is not valid")),
        several => Some(Problem::invalid(format!("{several} fields are not valid"))),
    }
}

/// A page with a form.
#[derive(Clone, Debug, Template)]
#[template(path = "form.html")]
pub(crate) struct FormPage {
    pub(crate) frame: Frame,
    pub(crate) heading: String,
    /// What will happen.
    pub(crate) lead: String,
    /// Why it was refused.
    pub(crate) error: String,
    pub(crate) fields: Vec<Field>,
    /// Hidden values.
    pub(crate) hidden: Vec<(&'static str, String)>,
    /// Which tasks are affected, if it is about tasks: it can be shown again for other fields.
    pub(crate) preview: Option<Preview>,
    pub(crate) button: String,
    pub(crate) is_danger: bool,
    pub(crate) action: String,
    pub(crate) back: String,
    /// The same as a line of the command line.
    pub(crate) command: String,
}

impl FormPage {
    /// With what was typed.
    #[must_use]
    pub(crate) fn with(mut self, values: &Values) -> FormPage {
        self.fields = self.fields.into_iter().map(|field| field.with(values)).collect();
        self
    }

    pub(crate) fn html(&self) -> Html<String> {
        Html(html(self))
    }

    /// The form again, after it was refused. Only what the user can change is a reason to show it.
    pub(crate) fn refused(mut self, problem: impl Into<Problem>) -> Sent {
        let (status, error) = refusal(problem.into())?;
        self.error = error;
        Ok((status, self.html()).into_response())
    }
}

/// The status of a form that is shown again, and the sentence that says why.
///
/// # Errors
///
/// The problem, if the user cannot change its reason in the form.
pub(crate) fn refusal(problem: Problem) -> Result<(StatusCode, String), Problem> {
    let shown = problem.shown();
    if shown.status >= 500 || shown.status == 404 {
        return Err(problem);
    }
    let status = StatusCode::from_u16(shown.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    Ok((status, sentence(&shown.detail)))
}

/// The way to another page.
pub(super) fn below(address: &str) -> Redirect {
    Redirect::to(&(base_path::current() + address))
}

/// Leads to a page after a change, which the service notices at once.
pub(crate) fn done(state: &ServerState, address: &str) -> Sent {
    state.handle.wake();
    Ok(below(address).into_response())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_form_is_decoded_once() {
        let mut headers = HeaderMap::new();
        headers
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"));
        let values = |body: &'static [u8]| Values::of(&headers, &Bytes::from_static(body));
        let known = values(b"p.a=1+2%2B3&p.b=%2526&reason=%0D%0Ax&empty").unwrap();
        assert_eq!((known.get("p.a"), known.get("p.b"), known.get("reason")), ("1 2+3", "%26", "x"));
        assert_eq!((known.get("empty"), known.get("missing")), ("", ""));
        let several = values(b"run=7&run=9+11&run=&a=1&a=2").unwrap();
        assert_eq!(several.words("run").collect::<Vec<_>>(), ["7", "9", "11"]);
        assert_eq!((several.get("a"), several.words("missing").count()), ("2", 0));
        assert!(values(b"a=%ff").is_err() && values(b"\xff").is_err());
        assert!(Values::of(&HeaderMap::new(), &Bytes::new()).is_err());
    }
}
