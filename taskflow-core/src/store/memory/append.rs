//! Appending to the history of runs in memory.

use std::collections::BTreeSet;

use super::{Data, Run};
use crate::store::ownership::Liveness;
use crate::store::rows::{Append, AppendTarget, Appended, NewGraph, NewRun, RunRow, RunUpdate, Segment};

impl Data {
    pub(super) fn append(&mut self, part: &Append) -> Appended {
        let answer = self.append_run(part);
        if let Appended::Stored(_) = answer {
            for event in &part.events {
                self.emit(event);
            }
            self.audit(part.audit.as_deref());
        }
        answer
    }

    fn append_run(&mut self, part: &Append) -> Appended {
        match &part.run {
            AppendTarget::New(run) => self.begin(run, part),
            &AppendTarget::Existing { run: number, token } => match self.runs.get_mut(&number) {
                Some(run) if run.row.token == token && run.expects(part.segment.as_ref()) => {
                    run.segments.extend(part.segment.clone());
                    run.update(part.update.as_ref());
                    if run.row.state.is_terminal() {
                        self.open.remove(&number);
                        self.requests.retain(|_, request| request.run != number);
                    } else {
                        self.open.insert(number);
                    }
                    Appended::Stored(number)
                }
                _ => Appended::Fenced,
            },
        }
    }

    fn begin(&mut self, new: &NewRun, part: &Append) -> Appended {
        let row = RunRow {
            number: self.last_run + 1,
            info: new.info.clone(),
            graph: new.graph.clone(),
            build: new.build.clone(),
            owner: new.owner.clone().unwrap_or_default(),
            token: new.token(),
            liveness: Liveness::Unowned,
            waits: false,
            state: new.state(),
            tasks: new.tasks,
            created: new.created,
            ended: None,
            counts: Vec::new(),
        };
        let mut run =
            Run { row, params: new.params.clone(), segments: Vec::new(), admission: None, former: BTreeSet::new() };
        if self.by_id.contains_key(&new.info.run_id) || !run.expects(part.segment.as_ref()) {
            return Appended::Taken;
        }
        run.segments.extend(part.segment.clone());
        run.update(part.update.as_ref());
        run.former.clear();
        self.last_run += 1;
        if new.has_callbacks {
            self.outbox.insert(new.info.run_id.clone());
        }
        self.by_id.insert(new.info.run_id.clone(), self.last_run);
        let of_dag = self.by_date.entry(new.info.dag_id.clone()).or_default();
        of_dag.insert((new.info.logical_date, self.last_run));
        if !run.row.state.is_terminal() {
            self.open.insert(self.last_run);
        }
        self.runs.insert(self.last_run, run);
        Appended::Stored(self.last_run)
    }

    /// Stores the graphs that are not there.
    pub(super) fn put_graphs(&mut self, graphs: &[NewGraph]) {
        for graph in graphs {
            self.graphs.entry(graph.hash.clone()).or_insert_with(|| (graph.encode)());
        }
    }
}

impl Run {
    /// Whether this segment is the next one.
    fn expects(&self, segment: Option<&Segment>) -> bool {
        segment.is_none_or(|segment| u32::try_from(self.segments.len() + 1) == Ok(segment.number))
    }

    pub(super) fn update(&mut self, update: Option<&RunUpdate>) {
        let Some(update) = update else { return };
        (self.row.state, self.row.ended) = (update.state, update.ended);
        self.row.counts.clone_from(&update.counts);
        if let Some((graph, tasks)) = &update.graph {
            let former = std::mem::replace(&mut self.row.graph, graph.clone());
            self.former.extend(Some(former).filter(|former| former != graph));
            self.row.tasks = *tasks;
        }
    }
}
