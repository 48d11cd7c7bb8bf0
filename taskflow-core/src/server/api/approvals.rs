//! What waits for people, what is due, and what is at its limits.

use super::document::document;
use crate::ops;
use crate::server::call::Call;
use crate::server::permit::View;
use crate::server::problem::Problem;
use crate::server::routes::Answer;

pub(in crate::server) async fn list(call: Call) -> Answer {
    document(&call, &ops::approvals(&call.state.journal, &call.state.dags).await?)
}

pub(in crate::server) async fn approval(call: Call) -> Answer {
    let (permit, task) = (call.run::<View>().await?, call.task()?);
    let state = &call.state;
    document(&call, &ops::approval(&state.journal, &state.dags, permit.run_id(), task.as_str()).await?)
}

pub(in crate::server) async fn deadlines(call: Call) -> Answer {
    document(&call, &ops::deadlines(&call.state.journal, &call.state.dags).await?)
}

pub(in crate::server) async fn deliveries(call: Call) -> Answer {
    document(&call, &ops::deliveries(&call.state.journal, call.limit()).await?)
}

async fn limits_of(call: &Call) -> Result<ops::LimitStatus, Problem> {
    let (state, home) = (&call.state, &call.state.home);
    Ok(ops::limits(&state.journal, home.path(), home.config(), &state.dags).await?)
}

pub(in crate::server) async fn limits(call: Call) -> Answer {
    document(&call, &limits_of(&call).await?)
}

pub(in crate::server) async fn pool(call: Call) -> Answer {
    let name = call.param("pool");
    let limits = limits_of(&call).await?;
    let near = crate::base::nearest(&name, limits.pools.iter().map(|pool| &*pool.pool)).map(str::to_owned);
    match limits.pools.iter().find(|pool| pool.pool == name) {
        Some(pool) => document(&call, pool),
        None => {
            let unknown = Problem::not_found("this program has no such pool");
            Err(unknown.candidates(near.into_iter().collect()))
        }
    }
}
