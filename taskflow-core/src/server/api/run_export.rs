//! The list of runs as a file.

use axum::body::Bytes;

use super::runs::listed;
use crate::ops::{RunListFormat, RunPages};
use crate::server::auth::Visitor;
use crate::server::call::Call;
use crate::server::problem::Problem;
use crate::server::routes::{Answer, CSV, JSON_LINES};
use crate::server::streams::{self, File, Parts};
use crate::store::RunFilter;

pub(in crate::server) async fn csv(call: Call) -> Answer {
    let disposition = "attachment; filename=\"runs.csv\"";
    export(call, RunListFormat::Csv, File { media_type: CSV, disposition }).await
}

pub(in crate::server) async fn json_lines(call: Call) -> Answer {
    let disposition = "attachment; filename=\"runs.jsonl\"";
    export(call, RunListFormat::JsonLines, File { media_type: JSON_LINES, disposition }).await
}

async fn export(call: Call, format: RunListFormat, file: File) -> Answer {
    let limit = call.number("limit").and_then(|limit| u32::try_from(limit).ok());
    let filter = call.state.runs(RunFilter { limit, ..listed(&call)? }).await?;
    let is_costly = filter.is_unindexed();
    let pages = RunPages::new(&call.state.journal, filter);
    let visitor = call.state.clone();
    streams::download(&call.state, file, Text { visitor, pages, is_costly, format, has_begun: false }).await
}

/// The text of a list.
struct Text {
    visitor: Visitor,
    pages: RunPages,
    /// Whether many runs are looked at for each that is listed.
    is_costly: bool,
    format: RunListFormat,
    has_begun: bool,
}

impl Parts for Text {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let turn = match self.is_costly {
            true => Some(self.visitor.turn(self.visitor.principal()).await?),
            false => None,
        };
        let page = self.pages.next().await?;
        drop(turn);
        let head = match std::mem::replace(&mut self.has_begun, true) {
            true => String::new(),
            false => self.format.head(),
        };
        let text = head + &self.format.lines(page.as_deref().unwrap_or_default());
        // A list without runs has a head only.
        Ok((!text.is_empty()).then(|| text.into()))
    }
}
