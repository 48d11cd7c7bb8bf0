//! Small batches.

use crate::base::Timestamp;
use crate::run::{RunInfo, RunState, TaskState};
use crate::store::traits::{Append, AppendTarget, Appended, NewRun, RunUpdate, Segment, Store};

pub(in crate::store) fn segment(number: u32) -> Segment {
    Segment { number, events: vec![1, number as u8], data: b"0123456789".to_vec() }
}

/// A new run of the DAG `etl`, created `at` nanoseconds after the epoch, with its first segment.
pub(in crate::store) fn new(run_id: &str, at: i64) -> Append {
    let created = Timestamp::from_nanos(at);
    let mut info = RunInfo::manual("etl", created);
    info.run_id = run_id.to_owned();
    let run = NewRun {
        info,
        graph: "graph-1".to_owned(),
        build: "build".to_owned(),
        owner: "host:1".to_owned(),
        params: b"params".to_vec(),
        tasks: 3,
        created,
    };
    Append { run: AppendTarget::New(Box::new(run)), segment: Some(segment(1)), update: None }
}

/// A segment of a run that is there.
pub(in crate::store) fn plain(run: i64, token: u64, number: u32) -> Append {
    Append { run: AppendTarget::Existing { run, token }, segment: Some(segment(number)), update: None }
}

pub(in crate::store) fn known(run: i64, token: u64, segment: Option<Segment>, update: Option<RunUpdate>) -> Append {
    Append { run: AppendTarget::Existing { run, token }, segment, update }
}

pub(in crate::store) fn update(state: RunState) -> RunUpdate {
    let ended = (state != RunState::Running).then(|| Timestamp::from_nanos(77));
    let counts = if ended.is_some() { vec![(TaskState::Success, 2), (TaskState::UpstreamFailed, 1)] } else { vec![] };
    RunUpdate { state, ended, counts, graph: None }
}

/// Appends, and asks that everything was stored: the numbers of the runs.
pub(in crate::store) async fn ok(store: &dyn Store, batch: &[Append]) -> Vec<i64> {
    let answers = store.append(batch).await.unwrap();
    let number = |answer: Appended| match answer {
        Appended::Stored(run) => run,
        refused => panic!("{refused:?}"),
    };
    answers.into_iter().map(number).collect()
}
