//! Small batches.

use crate::base::Timestamp;
use crate::run::{RunInfo, RunState, TaskState};
use crate::store::ownership::{Claim, RunGuard};
use crate::store::rows::{Append, AppendTarget, Appended, NewRun, RunRow, RunUpdate, Segment};
use crate::store::traits::Store;

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
        owner: Some("host:1".to_owned()),
        params: b"params".to_vec(),
        tasks: 3,
        created,
        has_callbacks: false,
    };
    Append {
        run: AppendTarget::New(Box::new(run)),
        segment: Some(segment(1)),
        update: None,
        events: Vec::new(),
        audit: None,
    }
}

pub(in crate::store) fn of(dag: &str, mut run: Append) -> Append {
    if let AppendTarget::New(new) = &mut run.run {
        new.info.dag_id = dag.to_owned();
    }
    run
}

/// A new run that may have callbacks to deliver.
pub(in crate::store) fn with_callbacks(mut run: Append) -> Append {
    if let AppendTarget::New(new) = &mut run.run {
        new.has_callbacks = true;
    }
    run
}

/// A new run that waits for a process to claim it.
pub(in crate::store) fn queued(run_id: &str, at: i64) -> Append {
    let mut part = new(run_id, at);
    if let AppendTarget::New(run) = &mut part.run {
        run.owner = None;
    }
    Append { segment: None, ..part }
}

/// Stores new runs that this process owns until the guards are dropped.
pub(in crate::store) async fn owned(store: &dyn Store, runs: &[Append]) -> Vec<RunGuard> {
    let reserve = |part: &Append| match &part.run {
        AppendTarget::New(run) => store.reserve(&run.info.run_id).expect("nobody has it yet"),
        AppendTarget::Existing { .. } => panic!("{part:?} is not new"),
    };
    let guards = runs.iter().map(reserve).collect();
    ok(store, runs).await;
    guards
}

pub(in crate::store) async fn claim(store: &dyn Store, run: i64, owner: &str) -> (RunRow, RunGuard) {
    match store.claim(run, owner).await.unwrap() {
        Claim::Claimed(row, guard) => (*row, guard),
        other => panic!("{other:?}"),
    }
}

/// A segment of a run that is there.
pub(in crate::store) fn plain(run: i64, token: u64, number: u32) -> Append {
    Append {
        run: AppendTarget::Existing { run, token },
        segment: Some(segment(number)),
        update: None,
        events: Vec::new(),
        audit: None,
    }
}

pub(in crate::store) fn known(run: i64, token: u64, segment: Option<Segment>, update: Option<RunUpdate>) -> Append {
    Append { run: AppendTarget::Existing { run, token }, segment, update, events: Vec::new(), audit: None }
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
