//! A route: a method of an address, with its description and its handler.

use std::pin::Pin;

use axum::response::Response;

use super::field::Field;
use crate::base::schema::Of;
use crate::server::call::Call;
use crate::server::problem::Problem;

pub(in crate::server) const JSON_LINES: &str = "application/jsonl";
pub(in crate::server) const CSV: &str = "text/csv; charset=utf-8";
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// The response of a handler.
pub(in crate::server) type Answer = Result<Response, Problem>;

type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A method of an address.
#[derive(Clone, Copy)]
pub(in crate::server) struct Route {
    pub(in crate::server) method: Verb,
    pub(in crate::server) path: &'static str,
    pub(in crate::server) about: &'static str,
    /// The parameters of the query.
    pub(in crate::server) query: &'static [Field],
    /// The members of the body.
    pub(in crate::server) body: &'static [Field],
    /// The media type of the response.
    pub(in crate::server) media_type: &'static str,
    /// The documents that it may answer with.
    pub(in crate::server) answers: &'static [Of],
    /// Whether the handler gets the bytes of the body, and no members.
    pub(in crate::server) is_raw: bool,
    /// Whether it is answered in its turn: it reads, or computes, much.
    pub(super) is_costly: bool,
    pub(super) handler: Handler,
}

/// The methods of routes. `HEAD` is `GET` without the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    pub(in crate::server) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        }
    }
}

impl Route {
    /// Whether it changes something.
    pub(in crate::server) fn changes(&self) -> bool {
        self.method != Verb::Get
    }

    pub(super) const fn query(self, query: &'static [Field]) -> Self {
        Route { query, ..self }
    }

    pub(super) const fn body(self, body: &'static [Field]) -> Self {
        Route { body, ..self }
    }

    pub(super) const fn raw(self) -> Self {
        Route { is_raw: true, ..self }
    }

    pub(super) const fn costly(self) -> Self {
        Route { is_costly: true, ..self }
    }

    pub(super) const fn media_type(self, media_type: &'static str) -> Self {
        Route { media_type, ..self }
    }
}

/// `route!(Get "/runs", runs::list, "Lists runs" => Vec<Run>)`: the documents that it may answer
/// with come last.
macro_rules! route {
    ($method:ident $path:literal, $handler:path, $about:literal $(=> $($answer:ty),+)?) => {
        Route {
            method: Verb::$method,
            path: $path,
            about: $about,
            query: &[],
            body: &[],
            media_type: "application/json",
            answers: &[$($(<$answer as Schema>::shape),+)?],
            is_raw: false,
            is_costly: false,
            handler: |call| Box::pin($handler(call)),
        }
    };
}
pub(super) use route;
