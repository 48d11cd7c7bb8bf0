//! Assets, their events and their consumers.

use super::document::document;
use crate::dag::DagDef;
use crate::ops::{self, EventQuery};
use crate::server::call::Call;
use crate::server::permit::View;
use crate::server::routes::Answer;

pub(in crate::server) async fn list(call: Call) -> Answer {
    document(&call, &ops::assets(Some(&call.state.journal)).await?)
}

pub(in crate::server) async fn events(call: Call) -> Answer {
    let text = |name: &str| call.text(name).map(str::to_owned);
    let query = EventQuery {
        asset: text("asset"),
        partition: text("partition"),
        run_id: text("run"),
        before: call.number("before"),
        limit: Some(call.limit()),
    };
    document(&call, &ops::events(&call.state.journal, &query).await?)
}

pub(in crate::server) async fn event(call: Call) -> Answer {
    let number = call.number_of_path("event")?;
    document(&call, &ops::event(&call.state.journal, number).await?)
}

pub(in crate::server) async fn consumers(call: Call) -> Answer {
    let named = call.dag_of_field::<View>("dag")?.map(|permit| permit.dag());
    let dags: Vec<&DagDef> = match named {
        Some(dag) => vec![dag],
        None => call.state.dags.to_vec(),
    };
    document(&call, &ops::consumers(Some(&call.state.journal), &dags).await?)
}
