//! The elements of mapped tasks.

use super::document::document;
use super::runs::chosen;
use crate::ops::{self, ElementQuery};
use crate::run::TaskState;
use crate::server::call::Call;
use crate::server::permit::View;
use crate::server::routes::Answer;

pub(in crate::server) async fn list(call: Call) -> Answer {
    let task = call.task()?;
    let permit = call.run::<View>().await?;
    let number = |name| call.number(name).and_then(|number| usize::try_from(number).ok());
    let query = ElementQuery {
        states: chosen(&call, "state", &TaskState::ALL, TaskState::name)?,
        label: call.text("label").map(str::to_owned),
        message: call.text("message").map(str::to_owned),
        first: number("first").unwrap_or(0),
        last: number("last"),
        skip: number("skip").unwrap_or(0),
        limit: usize::try_from(call.limit()).unwrap_or(usize::MAX),
    };
    document(&call, &ops::elements(&call.state.journal, permit.run(), task.as_str(), &query).await?)
}

pub(in crate::server) async fn summary(call: Call) -> Answer {
    let task = call.task()?;
    let permit = call.run::<View>().await?;
    document(&call, &ops::elements_summary(&call.state.journal, permit.run(), task.as_str()).await?)
}
