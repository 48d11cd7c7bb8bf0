//! `logs RUN [TASK]`: what tasks of a run logged.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde::Deserialize;

use super::error::{CliError, Exit};
use super::home::unreadable;
use super::source::{Client, Source};
use super::terminal::Terminal;
use super::{format, record, run_args};
use crate::log::{Follow, LogLevel, LogLine, LogName, LogRecord, LogStore, each_record, follow_log};

pub(super) fn command() -> Command {
    Command::new("logs")
        .about("Show what tasks of a run logged")
        .arg(run_args::run())
        .arg(run_args::task().help("Only this task [default: all, ordered by time]"))
        .arg(
            Arg::new("attempt")
                .long("attempt")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .requires("task")
                .help("Only this attempt"),
        )
        .arg(
            Arg::new("follow")
                .long("follow")
                .short('f')
                .action(ArgAction::SetTrue)
                .help("Print new records until the run has ended"),
        )
        .arg(
            Arg::new("level")
                .long("level")
                .value_name("LEVEL")
                .ignore_case(true)
                .value_parser(LEVELS.map(|(name, _)| name))
                .help("Only records of this level and above"),
        )
        .arg(run_args::json().help("One JSON object per line"))
}

const LEVELS: [(&str, LogLevel); 5] = [
    ("trace", LogLevel::Trace),
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
];

/// Between two reads of growing files.
const PACE: Duration = Duration::from_millis(100);
/// Between two checks whether the run has ended.
const STATE: Duration = Duration::from_millis(250);

pub(super) fn logs(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let task = run_args::task_name(matches);
    let level = matches.get_one::<String>("level");
    let level = level.and_then(|name| LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
    let run = source.run(run_args::run_name(matches))?;
    if let Some(task) = task {
        run.check_task(task)?;
    }
    let mut selection = Selection {
        run: run.status.run_id,
        number: run.status.number,
        task: task.map(str::to_owned),
        attempt: matches.get_one::<u32>("attempt").copied(),
        level: level.map_or(LogLevel::Trace, |&(_, level)| level),
        json: run_args::wants_json(matches),
        names: HashMap::new(),
    };
    let mut feed = match source {
        Source::Home(home) => Feed::Files {
            logs: home.journal()?.logs().unwrap_or_else(|| Arc::new(home.log_files())),
            open: HashMap::new(),
        },
        Source::Server(client) => Feed::Server(client),
    };
    let written = match (matches.get_flag("follow"), &mut feed) {
        (true, Feed::Server(client)) => selection.follow_service(client, source, terminal)?,
        (true, Feed::Files { logs, open }) => selection.follow(logs, open, source, terminal)?,
        (false, feed) => selection.print(feed, source, terminal)?,
    };
    if !written {
        let of = selection.task.as_ref().map(|task| format!("task `{task}` of ")).unwrap_or_default();
        terminal.note(&format!("{of}run {} logged nothing{}", selection.number, selection.limits()));
        // A task prints to the terminal of its program. Only processes have pipes.
        if selection.limits().is_empty() {
            terminal.note(
                "what a task prints (`println!`) is not logged unless it has a process of its own \
                 (`#[task(isolation = \"process\")]`); log with `tracing::info!` or `log::info!`",
            );
        }
    }
    Ok(Exit::Success)
}

/// The selected logs.
struct Selection {
    run: String,
    number: i64,
    task: Option<String>,
    attempt: Option<u32>,
    level: LogLevel,
    json: bool,
    /// The ids of elements with their labels.
    names: HashMap<String, String>,
}

impl Selection {
    /// The selection in words, if there is one.
    fn limits(&self) -> String {
        let attempt = self.attempt.map(|attempt| format!(" in attempt {attempt}")).unwrap_or_default();
        let level = match self.level {
            LogLevel::Trace => String::new(),
            level => format!(" of level {level} or above"),
        };
        attempt + &level
    }

    /// The lines of these records, ordered by time.
    fn lines(&self, mut records: Vec<Line>, terminal: &Terminal) -> String {
        records.retain(|line| line.record.level >= self.level);
        // Stable: records of an attempt with the same time keep their order.
        records.sort_by_key(|line| line.record.at);
        let mut text = String::new();
        for Line { task, attempt, record } in &records {
            if self.json {
                let line = LogLine { task, attempt: *attempt, record };
                text += &serde_json::to_string(&line).expect("records have texts for keys");
            } else {
                let name = self.names.get(task).map_or(&**task, String::as_str);
                text += &record::line(name, *attempt, record, terminal.paint_stdout());
            }
            text += "\n";
        }
        text
    }

    fn name(&self, task: &str, attempt: u32) -> LogName {
        LogName { run: self.run.clone(), task: task.to_owned(), attempt }
    }

    /// Writes lines; `false` when the reader is gone.
    fn offer(&self, lines: &str, terminal: &Terminal) -> std::io::Result<bool> {
        if self.json { terminal.offer_json(lines) } else { terminal.offer(lines) }
    }

    /// Reads the labels of elements that are not known yet.
    fn learn_names(&mut self, lines: &[Line], source: &Source) -> Result<(), CliError> {
        let is_new = |line: &Line| line.task.ends_with(']') && !self.names.contains_key(&line.task);
        if !self.json && lines.iter().any(is_new) {
            let run = source.run(&self.run)?;
            let elements = run.tasks().filter(|task| task.id.ends_with(']'));
            self.names = elements.map(|task| (task.id.to_owned(), format::task(task.id, task.label))).collect();
            for line in lines {
                self.names.entry(line.task.clone()).or_insert_with(|| line.task.clone());
            }
        }
        Ok(())
    }

    /// Prints the records; `false` if there are none.
    fn print(&mut self, feed: &mut Feed<'_>, source: &Source, terminal: &Terminal) -> Result<bool, CliError> {
        let records = feed.all(self)?;
        self.learn_names(&records, source)?;
        let text = self.lines(records, terminal);
        self.offer(&text, terminal)?;
        Ok(!text.is_empty())
    }

    /// Prints the records that a service sends, until no process runs the run.
    fn follow_service(&mut self, client: &Client, source: &Source, terminal: &Terminal) -> Result<bool, CliError> {
        let mut events = client.follow_log(&self.run, self.task.as_deref(), self.attempt, self.level);
        let mut written = false;
        while let Some(data) = events.next()? {
            let records = parsed(&data)?;
            self.learn_names(&records, source)?;
            let text = self.lines(records, terminal);
            written |= !text.is_empty();
            if !text.is_empty() && !self.offer(&text, terminal)? {
                break;
            }
        }
        Ok(written)
    }

    /// Prints the records, and new ones until no process runs the run.
    fn follow(
        &mut self,
        logs: &Arc<dyn LogStore>,
        open: &mut HashMap<(String, u32), Follow>,
        source: &Source,
        terminal: &Terminal,
    ) -> Result<bool, CliError> {
        let mut written = false;
        let (mut asked, mut ended): (Option<Instant>, Option<Instant>) = (None, None);
        loop {
            if ended.is_none() && asked.is_none_or(|asked| asked.elapsed() >= STATE) {
                let now = Instant::now();
                let is_open = source.run_state(&self.run)?.is_active();
                (asked, ended) = (Some(now), (!is_open).then_some(now));
            }
            // The end of a run is stored shortly before its last log records are written.
            let is_last = ended.is_some_and(|ended| ended.elapsed() >= STATE / 2);
            let records = news(logs, open, self)?;
            self.learn_names(&records, source)?;
            let text = self.lines(records, terminal);
            written |= !text.is_empty();
            if !text.is_empty() && !self.offer(&text, terminal)? {
                return Ok(true);
            }
            if is_last {
                return Ok(written);
            }
            std::thread::sleep(PACE);
        }
    }
}

/// A record of an attempt, as lines of JSON have it.
#[derive(Debug, Deserialize)]
struct Line {
    task: String,
    attempt: u32,
    #[serde(flatten)]
    record: LogRecord,
}

/// Where the records come from.
enum Feed<'s> {
    Files { logs: Arc<dyn LogStore>, open: HashMap<(String, u32), Follow> },
    Server(&'s Client),
}

impl Feed<'_> {
    /// All records of the level and above.
    fn all(&mut self, selection: &Selection) -> Result<Vec<Line>, CliError> {
        let logs = match self {
            Feed::Files { logs, .. } => logs,
            Feed::Server(client) => {
                let Selection { run, task, attempt, level, .. } = selection;
                return parsed(&client.log(run, task.as_deref(), *attempt, *level)?);
            }
        };
        let mut records = Vec::new();
        for (task, attempt) in attempts(&**logs, selection)? {
            let read = each_record(&**logs, &selection.name(&task, attempt), |record| {
                if record.level >= selection.level {
                    records.push(Line { task: task.clone(), attempt, record });
                }
            });
            read.map_err(|error| unreadable(&format!("the log of task `{task}`, attempt {attempt},"), &error))?;
        }
        Ok(records)
    }
}

/// The records of files since the last call.
fn news(
    logs: &Arc<dyn LogStore>,
    open: &mut HashMap<(String, u32), Follow>,
    selection: &Selection,
) -> Result<Vec<Line>, CliError> {
    for attempt in attempts(&**logs, selection)? {
        let follow = || follow_log(logs, selection.name(&attempt.0, attempt.1));
        open.entry(attempt.clone()).or_insert_with(follow);
    }
    let mut records = Vec::new();
    for ((task, attempt), follow) in open {
        let news = follow.poll();
        let news = news.map_err(|error| unreadable(&format!("the log of task `{task}`"), &error))?;
        records.extend(news.into_iter().map(|record| Line { task: task.clone(), attempt: *attempt, record }));
    }
    Ok(records)
}

/// The attempts that have a log.
fn attempts(logs: &dyn LogStore, selection: &Selection) -> Result<Vec<(String, u32)>, CliError> {
    let Selection { run, number, task, attempt: wanted, .. } = selection;
    let failed = |error: std::io::Error| unreadable(&format!("the logs of run {number}"), &error);
    let tasks = match task {
        Some(task) => vec![task.clone()],
        None => logs.tasks(run).map_err(failed)?,
    };
    let mut attempts = Vec::new();
    for task in tasks {
        let of_task = logs.attempts(run, &task).map_err(failed)?;
        let of_task = of_task.into_iter().filter(|attempt| wanted.is_none_or(|wanted| wanted == *attempt));
        attempts.extend(of_task.map(|attempt| (task.clone(), attempt)));
    }
    Ok(attempts)
}

/// The records of lines of JSON.
fn parsed(text: &str) -> Result<Vec<Line>, CliError> {
    let lines = text.lines().map(|line| {
        let broken = |error| CliError::Failure(format!("a line of the log cannot be read: {error}"));
        serde_json::from_str(line).map_err(broken)
    });
    lines.collect()
}
