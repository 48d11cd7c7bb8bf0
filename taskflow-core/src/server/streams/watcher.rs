//! Finds out what changed in the home; see the protocol in [`streams`](super).
//!
//! 1. The version of the data is read first, what changed after that: a commit in between is in
//!    what was read, and makes the next version differ.
//! 2. A run has changed if its [`RunHead`] has. Looked at are the runs that are active or were a
//!    moment ago, those that a stream is about, and the newest ones; once a second, the newest
//!    2,000. So the edit of a run that ended long ago is seen by the streams about this run, and on
//!    lists if the run is one of the newest.
//! 3. The death of a process is no commit. Once a second the states of running runs are read, which
//!    tells whether their owners live.
//! 4. A home that cannot be read is asked again a second later.
//! 5. While nobody reads the feed, nothing is asked. The next look compares with the one before the
//!    pause, so a page that was read in between learns of everything after it. Only if there were
//!    more runs or events than are looked at, the feed forgets its places, and pages are read
//!    again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::feed::Feed;
use super::topics::Fact;
use crate::journal::{Journal, JournalError};
use crate::run::RunState;
use crate::server::ServerState;
use crate::store::{EventFilter, RunFilter, RunHead, Subject, TableVersion};

/// How often the version of the data is read while there are readers.
const OFTEN: Duration = Duration::from_millis(50);
/// How often what no commit tells is looked at.
const WIDE: Duration = Duration::from_secs(1);
/// How many of the newest runs are looked at, usually and once a second.
const NEWEST: i64 = 50;
const NEWEST_WIDE: i64 = 2_000;
/// The most events that are told apart at once.
const EVENTS: u32 = 1_000;

/// Feeds the streams, until the future is dropped.
pub(in crate::server) async fn watch(state: ServerState) {
    let mut watcher = Watcher {
        journal: state.watched,
        version: None,
        known: Known::default(),
        wide: Instant::now(),
        is_wide_due: false,
    };
    feed_while_read(&state.streams.feed, &mut watcher).await;
}

/// Looks once, so that there is something to compare with, and from then on while there are
/// readers.
async fn feed_while_read(feed: &Feed, home: &mut impl Look) {
    let mut is_first = true;
    loop {
        match home.look(is_first, feed.watched()).await {
            Ok(Seen { facts, is_all }) => {
                match is_all {
                    true => feed.add(facts),
                    false => feed.forget(),
                }
                is_first = false;
            }
            Err(error) => {
                tracing::warn!("streams cannot read what changed: {error}");
                tokio::time::sleep(WIDE).await;
                // Readers may come meanwhile: they would miss what changes before a first look.
                continue;
            }
        }
        tokio::time::sleep(OFTEN).await;
        feed.readers().await;
    }
}

/// A home that can be looked at.
trait Look {
    /// What changed since the last call. The first one only finds out what there is. `watched` are
    /// the runs that streams are about.
    async fn look(&mut self, is_first: bool, watched: Vec<i64>) -> Result<Seen, JournalError>;
}

/// What changed.
#[derive(Debug)]
struct Seen {
    facts: Vec<Fact>,
    /// Whether the facts are all that changed.
    is_all: bool,
}

struct Watcher {
    journal: Journal,
    version: Option<i64>,
    known: Known,
    /// When everything was looked at, and whether there was a change since.
    wide: Instant,
    is_wide_due: bool,
}

/// What was there the last time.
#[derive(Debug, Default)]
struct Known {
    runs: HashMap<i64, RunHead>,
    newest: i64,
    /// Whether the owners of running runs live.
    alive: HashMap<i64, bool>,
    tables: HashMap<(Subject, String), i64>,
    watched: Vec<i64>,
}

impl Look for Watcher {
    async fn look(&mut self, is_first: bool, watched: Vec<i64>) -> Result<Seen, JournalError> {
        self.known.watched = watched;
        let version = self.journal.data_version().await?;
        let is_wide = is_first || self.wide.elapsed() >= WIDE;
        let is_same = version.is_some() && version == self.version;
        let (mut facts, mut is_all) = (Vec::new(), true);
        if !is_same || (is_wide && self.is_wide_due) {
            let newest = self.journal.last_number().await?;
            is_all = newest - self.known.newest <= NEWEST_WIDE;
            let known = self.known.newest.max(newest - NEWEST_WIDE);
            let after = known - if is_wide { NEWEST_WIDE } else { NEWEST };
            let heads = self.journal.run_heads(after.max(0), &self.known.to_look_at()).await?;
            facts = self.known.runs(heads, after);
            let (of_tables, events_after) = self.known.tables(self.journal.table_versions().await?);
            facts.extend(of_tables);
            if let Some(after) = events_after.filter(|_| !is_first) {
                let events = self.events(after).await?;
                is_all &= events.len() < EVENTS as usize;
                facts.extend(events);
            }
            self.is_wide_due = !is_wide;
        }
        if is_wide {
            facts.extend(self.liveness().await?);
            self.wide = Instant::now();
        }
        self.version = version;
        facts.dedup();
        if is_first {
            (facts, is_all) = (Vec::new(), true);
        }
        Ok(Seen { facts, is_all })
    }
}

impl Watcher {
    async fn events(&self, after: i64) -> Result<Vec<Fact>, JournalError> {
        let filter = EventFilter { after: Some(after), limit: Some(EVENTS), ..EventFilter::default() };
        let rows = self.journal.event_rows(&filter).await?;
        Ok(rows.into_iter().map(|row| Fact::Asset { asset: row.asset, event: row.number }).collect())
    }

    /// The running runs whose owners have died, or live again.
    async fn liveness(&mut self) -> Result<Vec<Fact>, JournalError> {
        let running = RunState::Running.name();
        if !self.known.runs.values().any(|head| head.state == running) {
            self.known.alive.clear();
            return Ok(Vec::new());
        }
        let filter = RunFilter { states: vec![RunState::Running, RunState::Interrupted], ..RunFilter::default() };
        let mut alive = HashMap::new();
        let mut facts = Vec::new();
        for run in self.journal.runs(&filter).await? {
            let is_alive = run.state == RunState::Running;
            if self.known.alive.get(&run.number).is_some_and(|was| *was != is_alive) {
                facts.push(Fact::Run { run: run.number, dag: run.info.dag_id.clone() });
            }
            alive.insert(run.number, is_alive);
        }
        self.known.alive = alive;
        Ok(facts)
    }
}

impl Known {
    /// The runs to look at, whatever their state is by now.
    fn to_look_at(&self) -> Vec<i64> {
        let is_active = |head: &&RunHead| matches!(&*head.state, "queued" | "running");
        let active = self.runs.values().filter(is_active).map(|head| head.number);
        let mut all: Vec<i64> = active.chain(self.watched.iter().copied()).collect();
        // The same text is the same statement.
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Takes what was found of runs; those above `after` that were not found are gone.
    fn runs(&mut self, heads: Vec<RunHead>, after: i64) -> Vec<Fact> {
        let mut facts = Vec::new();
        let found: std::collections::HashSet<i64> = heads.iter().map(|head| head.number).collect();
        let watched = &self.watched;
        self.runs.retain(|number, head| {
            let is_gone = *number > after && !found.contains(number);
            if is_gone {
                facts.push(Fact::Run { run: *number, dag: head.dag.clone() });
            }
            // Others are old and have ended.
            found.contains(number) || (!is_gone && (*number > self.newest - NEWEST_WIDE || watched.contains(number)))
        });
        for head in heads {
            self.newest = self.newest.max(head.number);
            if self.runs.get(&head.number) != Some(&head) {
                facts.push(Fact::Run { run: head.number, dag: head.dag.clone() });
                self.runs.insert(head.number, head);
            }
        }
        facts
    }

    /// Takes the versions of tables. Also returns the last event that was known, if there are
    /// others.
    fn tables(&mut self, tables: Vec<TableVersion>) -> (Vec<Fact>, Option<i64>) {
        let (mut facts, mut events_after) = (Vec::new(), None);
        let mut next = HashMap::with_capacity(tables.len());
        for TableVersion { subject, id, version } in tables {
            let known = self.tables.remove(&(subject, id.clone()));
            if known != Some(version) {
                match subject {
                    Subject::Events => events_after = Some(known.unwrap_or(0)),
                    subject => facts.extend(fact(subject, &id)),
                }
            }
            next.insert((subject, id), version);
        }
        // What is left is gone: a pool that nobody uses any more.
        facts.extend(self.tables.drain().filter_map(|((subject, id), _)| fact(subject, &id)));
        self.tables = next;
        (facts, events_after)
    }
}

fn fact(subject: Subject, id: &str) -> Option<Fact> {
    let id = id.to_owned();
    match subject {
        Subject::Schedule | Subject::SlotDeadlines | Subject::Consumer => Some(Fact::Dag { dag: id }),
        Subject::Backfill => id.parse().ok().map(|backfill| Fact::Backfill { backfill }),
        Subject::Pool => Some(Fact::Pool { pool: id }),
        Subject::Events => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(number: i64, state: &str, segment: i64) -> RunHead {
        RunHead { number, dag: "daily".to_owned(), state: state.to_owned(), token: 1, segment, waits: false }
    }

    fn numbers(facts: &[Fact]) -> Vec<i64> {
        let number = |fact: &Fact| match fact {
            Fact::Run { run, .. } => *run,
            _ => 0,
        };
        facts.iter().map(number).collect()
    }

    #[test]
    fn a_run_has_changed_if_its_head_has() {
        let mut known = Known::default();
        assert_eq!(numbers(&known.runs(vec![head(1, "running", 1), head(2, "queued", 0)], 0)), [1, 2]);
        assert_eq!(known.to_look_at(), [1, 2]);
        assert_eq!(numbers(&known.runs(vec![head(1, "running", 2), head(2, "queued", 0)], 0)), [1]);
        assert_eq!(numbers(&known.runs(vec![head(1, "success", 3), head(2, "queued", 0)], 0)), [1]);
        assert_eq!(known.to_look_at(), [2]);
        assert_eq!(numbers(&known.runs(vec![head(1, "success", 3)], 0)), [2], "a run that was deleted");
    }

    #[test]
    fn a_table_has_changed_if_its_version_has() {
        let mut known = Known::default();
        let table = |subject, id: &str, version| TableVersion { subject, id: id.to_owned(), version };
        let _ = known.tables(vec![table(Subject::Pool, "db", 1), table(Subject::Events, "", 4)]);
        let (facts, events) = known.tables(vec![table(Subject::Events, "", 6)]);
        assert_eq!((facts, events), (vec![Fact::Pool { pool: "db".to_owned() }], Some(4)));
        let (facts, events) = known.tables(vec![table(Subject::Events, "", 6), table(Subject::Schedule, "daily", 1)]);
        assert_eq!((facts, events), (vec![Fact::Dag { dag: "daily".to_owned() }], None));
    }

    /// Counts how often somebody looks, and sees one change each time.
    #[derive(Default)]
    struct Counted(u64);

    impl Look for Counted {
        async fn look(&mut self, is_first: bool, _: Vec<i64>) -> Result<Seen, JournalError> {
            self.0 += 1;
            let fact = || Fact::Dag { dag: self.0.to_string() };
            Ok(Seen { facts: (!is_first).then(fact).into_iter().collect(), is_all: self.0 != 4 })
        }
    }

    /// Lets it look for an hour of the paused clock.
    async fn an_hour(feed: &Feed, home: &mut Counted) {
        let _ = tokio::time::timeout(Duration::from_secs(3_600), feed_while_read(feed, home)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_home_is_not_read_while_nobody_reads_the_feed() {
        let (feed, mut home) = (Feed::new(), Counted::default());
        an_hour(&feed, &mut home).await;
        assert_eq!((home.0, feed.last()), (1, 0), "the first look finds out what there is");
        let reader = feed.subscribe();
        let two = async {
            while feed.last() < 2 {
                tokio::time::sleep(OFTEN).await;
            }
            drop(reader);
            tokio::time::sleep(Duration::from_secs(3_600)).await;
        };
        let mut later = Counted::default();
        tokio::select! {
            () = feed_while_read(&feed, &mut later) => {}
            () = two => {}
        }
        assert!(later.0 < 6, "{} looks, although the reader has gone after the third", later.0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_changed_while_nobody_read_is_told_to_the_next_reader() {
        let (feed, mut home) = (Feed::new(), Counted::default());
        let page = feed.number_of(&feed.place()).unwrap();
        let reads = async {
            // Nobody reads the feed between the page and its stream.
            tokio::time::sleep(Duration::from_secs(60)).await;
            let mut reader = feed.subscribe();
            reader.changed().await.unwrap();
            let (facts, _) = feed.after(page, 10).unwrap();
            assert_eq!(facts[0].fact, Fact::Dag { dag: "2".to_owned() });
            // The fourth look cannot tell everything that changed.
            while feed.after(page, 10).is_ok() {
                reader.changed().await.unwrap();
            }
        };
        tokio::select! {
            () = feed_while_read(&feed, &mut home) => {}
            () = reads => {}
        }
        assert_eq!(home.0, 4);
    }
}
