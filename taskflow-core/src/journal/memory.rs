//! Stand-in until the merge.
use std::ops::Range;
use std::sync::Mutex;

use super::store::*;
use crate::engine::RunState;

#[derive(Debug, Default)]
pub(crate) struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    runs: Vec<(RunRow, Vec<u8>, Vec<Segment>)>,
    graphs: std::collections::HashMap<String, Vec<u8>>,
    requests: Vec<Request>,
}

impl Store for MemoryStore {
    fn append<'a>(&'a self, batch: &'a [Append]) -> Answer<'a, Vec<Appended>> {
        answer(async move {
            let mut state = self.0.lock().unwrap();
            let mut out = Vec::new();
            for part in batch {
                let number = match &part.run {
                    Whose::New(new) => {
                        let number = state.runs.len() as i64 + 1;
                        let row = RunRow { number, info: new.info.clone(), graph: new.graph.clone(), build: new.build.clone(), owner: new.owner.clone(), token: 1, state: RunState::Running, tasks: new.tasks, created: new.created, ended: None, counts: vec![] };
                        state.runs.push((row, new.params.clone(), vec![]));
                        number
                    }
                    Whose::Known { run, token } => {
                        if state.runs[*run as usize - 1].0.token != *token { out.push(Appended::Fenced); continue }
                        *run
                    }
                };
                let run = &mut state.runs[number as usize - 1];
                run.2.extend(part.segment.clone());
                if let Some(update) = &part.update {
                    run.0.state = update.state;
                    run.0.ended = update.ended;
                    run.0.counts = update.counts.clone();
                    if let Some((hash, tasks)) = &update.graph { run.0.graph = hash.clone(); run.0.tasks = *tasks; }
                }
                out.push(Appended::Stored(number));
            }
            Ok(out)
        })
    }
    fn adopt<'a>(&'a self, run: i64, expected: u64, owner: &'a str) -> Answer<'a, Option<u64>> {
        answer(async move {
            let mut state = self.0.lock().unwrap();
            let row = &mut state.runs[run as usize - 1].0;
            if row.token != expected { return Ok(None) }
            row.token += 1; row.state = RunState::Running; row.owner = owner.to_owned();
            Ok(Some(row.token))
        })
    }
    fn put_graph<'a>(&'a self, hash: &'a str, snapshot: &'a [u8]) -> Answer<'a, ()> {
        answer(async move { self.0.lock().unwrap().graphs.insert(hash.to_owned(), snapshot.to_vec()); Ok(()) })
    }
    fn graph<'a>(&'a self, hash: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        answer(async move { Ok(self.0.lock().unwrap().graphs.get(hash).cloned()) })
    }
    fn run<'a>(&'a self, run: i64) -> Answer<'a, Option<RunRow>> {
        answer(async move { Ok(self.0.lock().unwrap().runs.iter().find(|r| r.0.number == run).map(|r| r.0.clone())) })
    }
    fn find<'a>(&'a self, text: &'a str, limit: u32) -> Answer<'a, Vec<RunRow>> {
        answer(async move { Ok(self.0.lock().unwrap().runs.iter().rev().filter(|r| r.0.info.run_id.contains(text)).take(limit as usize).map(|r| r.0.clone()).collect()) })
    }
    fn runs<'a>(&'a self, filter: &'a RunFilter) -> Answer<'a, Vec<RunRow>> {
        answer(async move { Ok(self.0.lock().unwrap().runs.iter().rev().filter(|r| filter.states.is_empty() || filter.states.contains(&r.0.state)).take(filter.limit.unwrap_or(u32::MAX) as usize).map(|r| r.0.clone()).collect()) })
    }
    fn params<'a>(&'a self, run: i64) -> Answer<'a, Option<Vec<u8>>> {
        answer(async move { Ok(self.0.lock().unwrap().runs.get(run as usize - 1).map(|r| r.1.clone())) })
    }
    fn segments<'a>(&'a self, run: i64, from: u32) -> Answer<'a, Vec<SegmentRow>> {
        answer(async move { Ok(self.0.lock().unwrap().runs[run as usize - 1].2.iter().filter(|s| s.number >= from).map(|s| SegmentRow { number: s.number, events: s.events.clone() }).collect()) })
    }
    fn data<'a>(&'a self, run: i64, segment: u32, range: Range<u32>) -> Answer<'a, Option<Vec<u8>>> {
        answer(async move { Ok(self.0.lock().unwrap().runs[run as usize - 1].2.iter().find(|s| s.number == segment).and_then(|s| s.data.get(range.start as usize..range.end as usize)).map(<[u8]>::to_vec)) })
    }
    fn ask<'a>(&'a self, request: &'a Request) -> Answer<'a, ()> {
        answer(async move { self.0.lock().unwrap().requests.push(request.clone()); Ok(()) })
    }
    fn requests<'a>(&'a self, after: i64) -> Answer<'a, Vec<(i64, Request)>> {
        answer(async move { Ok((1..).zip(self.0.lock().unwrap().requests.iter().cloned()).filter(|(n, _)| *n > after).collect()) })
    }
    fn delete<'a>(&'a self, _runs: &'a [i64]) -> Answer<'a, u64> { answer(async { Ok(0) }) }
    fn vacuum(&self) -> Answer<'_, (u64, u64)> { answer(async { Ok((0, 0)) }) }
    fn check(&self) -> Answer<'_, Vec<String>> { answer(async { Ok(vec![]) }) }
    fn close(&self) -> Answer<'_, ()> { answer(async { Ok(()) }) }
}
