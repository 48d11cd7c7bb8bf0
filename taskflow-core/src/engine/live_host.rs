//! Gives the context of an attempt access to its run.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::notes::{Note, What};
use super::run_shared::RunShared;
use crate::base::text::bounded;
use crate::base::{Failure, nearest};
use crate::dag::{MappingIndex, NodeIndex, Plan, node_id_of, path_of};
use crate::log::Redactor;
use crate::run::{Encoded, Stored, TaskIndex};
use crate::task::{AttemptHost, BoxFuture, EmitRequest, OnKill, PARAMS, Pushed, XComError};

/// An attempt of a task in a run.
#[derive(Debug)]
pub(crate) struct LiveHost {
    pub(super) run: Arc<RunShared>,
    pub(super) task: TaskIndex,
    pub(super) node: NodeIndex,
    /// The id of the task instance.
    pub(super) id: String,
    pub(super) attempt: u32,
    /// Its number among the attempts that count against the retries.
    pub(super) counted: u32,
    /// How many runs this call of the function has triggered.
    pub(super) triggered: AtomicU32,
    pub(super) links: Mutex<Links>,
}

/// The links of an attempt so far.
#[derive(Debug, Default)]
pub(super) struct Links {
    names: Vec<String>,
    /// Whether one has been refused.
    is_full: bool,
}

impl LiveHost {
    /// The number of the next run that this call of the function triggers.
    pub(super) fn next_trigger(&self) -> u32 {
        self.triggered.fetch_add(1, Ordering::Relaxed)
    }

    fn note(&self, what: What) {
        let LiveHost { run, task, attempt, .. } = self;
        run.notes.add(Note { task: *task, attempt: *attempt, at: run.clock.now(), what });
    }

    /// The id of an upstream task instance, from the id of its node or its own.
    fn upstream(&self, task: &str) -> Result<String, XComError> {
        let plan = &*self.run.plan;
        let (base, path) = task.split_at(node_id_of(task).len());
        let Some(node) = plan.find(base) else {
            let nearest = nearest(base, plan.nodes().map(crate::dag::Node::id)).map(str::to_owned);
            return Err(XComError::NoTask { task: task.to_owned(), dag: plan.id().to_owned(), nearest });
        };
        if !upstreams(plan, self.node).contains(&node) {
            return Err(XComError::NotUpstream { task: task.to_owned(), by: self.id.clone() });
        }
        let own = path_of(&self.id);
        let depth = depth(plan, node);
        if !path.is_empty() || depth == 0 {
            return Ok(task.to_owned());
        }
        if !plan.is_within(plan.place(self.node).mapping, plan.place(node).mapping) {
            return Err(XComError::Elements { task: task.to_owned() });
        }
        let path: String = own.iter().take(depth).map(|place| format!("[{place}]")).collect();
        Ok(format!("{base}{path}"))
    }
}

/// The number of lists that a node is nested in.
fn depth(plan: &Plan, node: NodeIndex) -> usize {
    let parent = |&mapping: &MappingIndex| plan.mapping(mapping).parent;
    std::iter::successors(plan.place(node).mapping, parent).count()
}

/// All nodes upstream of a node, including those that it does not wait for because one success is
/// enough.
fn upstreams(plan: &Plan, node: NodeIndex) -> HashSet<NodeIndex> {
    let mut seen = HashSet::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        let list = plan.place(node).mapping.map(|mapping| plan.mapping(mapping).expand);
        for upstream in plan.upstreams(node).chain(list) {
            if seen.insert(upstream) {
                open.push(upstream);
            }
        }
    }
    seen
}

impl AttemptHost for LiveHost {
    fn link(&self, name: &str, url: &str) {
        /// The most links of an attempt, and the most bytes of their names and addresses.
        const LINKS: usize = 100;
        const NAME: usize = 256;
        const URL: usize = 8 << 10;

        let redactor = Redactor::current();
        let (name, url) = (redactor.registered(name), redactor.registered(url));
        let (name, url) = (bounded(&name, NAME).into_owned(), bounded(&url, URL).into_owned());
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !links.names.contains(&name);
        if is_new && links.names.len() == LINKS {
            if !std::mem::replace(&mut links.is_full, true) {
                tracing::warn!(target: "taskflow", "an attempt can have {LINKS} links; further ones are not stored");
            }
            return;
        }
        if is_new {
            links.names.push(name.clone());
        }
        drop(links);
        self.note(What::Link { name, url });
        self.run.look_at_links();
    }

    fn param(&self, name: &str) -> Result<Pushed, Vec<String>> {
        let params = self.run.plan.params();
        let place = params.iter().position(|param| param.name == name);
        let found = place.and_then(|place| Some(Pushed::Live(params[place].ty, self.run.params.get(place)?.clone())));
        found.ok_or_else(|| params.iter().map(|param| param.name.to_owned()).collect())
    }

    fn set_state(&self, key: &str, text: String) -> BoxFuture<Result<(), Failure>> {
        let LiveHost { run, task, attempt, id, .. } = self;
        let what = What::TaskState { key: key.to_owned(), text };
        run.notes.keep(id, Note { task: *task, attempt: *attempt, at: run.clock.now(), what });
        let (run, task, attempt) = (Arc::clone(run), *task, *attempt);
        Box::pin(async move {
            match run.store_task_state(task, attempt).await {
                true => Ok(()),
                false => Err(Failure::Cancelled {
                    reason: "the attempt is over, or the journal cannot be written".to_owned(),
                }),
            }
        })
    }

    fn get_state(&self, key: &str) -> Option<String> {
        self.run.notes.own(&self.id, key)
    }

    fn push(&self, key: &str, value: Pushed) -> Result<(), Failure> {
        /// Above this size in bytes what was written down elsewhere goes to a file.
        const LARGE: usize = 48 << 10;

        let named = || format!("{}:{key}", self.id);
        let stored = match (&self.run.recorder, &value) {
            (None, _) => None,
            (Some(recorder), Pushed::Live(ty, live)) => {
                let encoded = crate::base::catch(|| recorder.encode(&named(), *ty, live));
                Some(match encoded.and_then(std::convert::identity)? {
                    Encoded::Inline(bytes) => Stored::Inline(bytes),
                    Encoded::Large(bytes) => recorder.spill(&named(), &bytes)?,
                })
            }
            // It was written down elsewhere, in the process of the attempt.
            (Some(recorder), Pushed::Stored(_, bytes)) if bytes.len() > LARGE => Some(recorder.spill(&named(), bytes)?),
            (Some(_), Pushed::Stored(_, bytes)) => Some(Stored::Inline(bytes.to_vec())),
        };
        self.note(What::Value { key: key.to_owned(), value, stored });
        Ok(())
    }

    fn emit(&self, request: EmitRequest) -> Result<(), Failure> {
        let emission = self.run.emission(&self.id, request)?;
        self.note(What::Event(Box::new(emission)));
        Ok(())
    }

    fn pull(&self, task: &str, key: &str) -> Result<Pushed, XComError> {
        let id = self.upstream(task)?;
        self.run.notes.get(&id, key).map_err(|known| XComError::NoKey { task: id, key: key.to_owned(), known })
    }

    fn artifact_path(&self) -> io::Result<PathBuf> {
        let stored = self.run.recorder.as_ref().and_then(|recorder| recorder.artifacts());
        stored.map_or_else(|| self.run.scratch.path(), Ok)
    }

    fn counted(&self) -> u32 {
        self.counted
    }

    fn at_early_end(&self, key: &str, end: Option<OnKill>) {
        // A teardown also runs to its end when the run ends early.
        if !self.run.plan.is_teardown(self.node) {
            self.run.children.register_on_kill(&self.id, key, end);
        }
    }

    fn pullable_xcoms(&self) -> Vec<(String, String, String, Vec<u8>)> {
        let plan = &*self.run.plan;
        let known = upstreams(plan, self.node);
        let is_upstream = |id: &str| plan.find(node_id_of(id)).is_some_and(|node| known.contains(&node));
        let params =
            plan.params().iter().zip(&*self.run.params).map(|(param, value)| {
                (PARAMS.to_owned(), param.name.to_owned(), Pushed::Live(param.ty, value.clone()))
            });
        let values = self.run.notes.all(is_upstream).into_iter().chain(params);
        values.filter_map(|(task, key, value)| Some((task, key, value.ty(), value.encode().ok()?))).collect()
    }
}
