//! A large text of logs as the body of an answer.
//!
//! Each part is read in a turn of its own, and only once the one before is on its way: a client
//! that does not read holds no turn, and one that has gone has nothing read for it.

use std::sync::Arc;

use axum::body::Bytes;

use super::log_text::{LineKey, LogText, TextPart};
use super::logs::unreadable;
use crate::server::auth::Visitor;
use crate::server::costly::Turn;
use crate::server::log_reads::read_logs;
use crate::server::problem::Problem;
use crate::server::streams::Parts;

/// A range of the bytes of a text.
pub(super) struct LogParts {
    visitor: Visitor,
    /// That of the request, for what is read before the answer begins: to wait for another one
    /// with it could be to wait for oneself.
    turn: Option<Arc<Turn>>,
    text: Arc<LogText>,
    rest: Rest,
    /// How many bytes of the text come before the rest.
    position: u64,
    from: u64,
    to: u64,
}

/// What comes after the parts so far.
enum Rest {
    Part(TextPart),
    From(LineKey),
    Nothing,
}

impl LogParts {
    pub(super) fn new(
        visitor: Visitor,
        turn: Option<Arc<Turn>>,
        text: Arc<LogText>,
        first: TextPart,
        (from, to): (u64, u64),
    ) -> Self {
        LogParts { visitor, turn, text, rest: Rest::Part(first), position: 0, from, to }
    }

    async fn read(&self, from: LineKey) -> Result<TextPart, Problem> {
        let turn = match &self.turn {
            Some(turn) => Arc::clone(turn),
            None => self.visitor.turn(self.visitor.principal()).await?,
        };
        let text = Arc::clone(&self.text);
        let part = read_logs(self.visitor.logs(), Some(turn), move |logs| text.part(logs, from)).await;
        part.map_err(|error| unreadable(&error))
    }
}

impl Parts for LogParts {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        while self.position < self.to {
            let part = match std::mem::replace(&mut self.rest, Rest::Nothing) {
                Rest::Part(part) => part,
                Rest::From(key) => self.read(key).await?,
                Rest::Nothing => return Err(Problem::internal(&"a log is shorter than it was")),
            };
            self.rest = part.next.map_or(Rest::Nothing, Rest::From);
            let (begin, end) = (self.position, self.position + part.text.len() as u64);
            self.position = end;
            if end > self.from {
                self.turn = None;
                let (from, to) = (self.from.max(begin) - begin, self.to.min(end) - begin);
                // Both lie in the part.
                return Ok(Some(Bytes::from(part.text).slice(from as usize..to as usize)));
            }
        }
        Ok(None)
    }
}
