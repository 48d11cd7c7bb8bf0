//! `logs RUN [TASK]`: what tasks of a run logged.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::error::{CliError, Exit};
use super::home::{Home, unreadable};
use super::terminal::Terminal;
use super::{format, record, run_args};
use crate::journal::{Journal, TaskHistory};
use crate::log::{Follow, LogLevel, LogLine, LogName, LogRecord, LogStore, follow_log, read_log};
use crate::run::RunState;

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

pub(super) fn logs(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let journal = home.journal()?;
    let run = home.find(&journal, run_args::run_name(matches))?;
    let task = run_args::task_name(matches);
    if let Some(task) = task {
        home.wait(journal.history(&run.info.run_id))?.place(task)?;
    }
    let level = matches.get_one::<String>("level");
    let level = level.and_then(|name| LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
    let mut selection = Selection {
        run: run.info.run_id,
        number: run.number,
        task: task.map(str::to_owned),
        attempt: matches.get_one::<u32>("attempt").copied(),
        level: level.map_or(LogLevel::Trace, |&(_, level)| level),
        json: run_args::wants_json(matches),
        logs: journal.logs().unwrap_or_else(|| Arc::new(home.log_files())),
        names: HashMap::new(),
    };
    let written = match matches.get_flag("follow") {
        true => selection.follow(&journal, home, terminal)?,
        false => selection.print(&journal, home, terminal)?,
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
    logs: Arc<dyn LogStore>,
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
    fn lines(&self, mut records: Vec<(&str, u32, LogRecord)>, terminal: &Terminal) -> String {
        records.retain(|(_, _, record)| record.level >= self.level);
        // Stable: records of an attempt with the same time keep their order.
        records.sort_by_key(|(_, _, record)| record.at);
        let mut text = String::new();
        for (task, attempt, record) in &records {
            if self.json {
                let line = LogLine { task, attempt: *attempt, record };
                text += &serde_json::to_string(&line).expect("records have texts for keys");
            } else {
                let name = self.names.get(*task).map_or(*task, String::as_str);
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

    /// The attempts that have a log.
    fn attempts(&self) -> Result<Vec<(String, u32)>, CliError> {
        let failed = |error: std::io::Error| unreadable(&format!("the logs of run {}", self.number), &error);
        let tasks = match &self.task {
            Some(task) => vec![task.clone()],
            None => self.logs.tasks(&self.run).map_err(failed)?,
        };
        let mut attempts = Vec::new();
        for task in tasks {
            let of_task = self.logs.attempts(&self.run, &task).map_err(failed)?;
            let wanted = of_task.into_iter().filter(|attempt| self.attempt.is_none_or(|wanted| wanted == *attempt));
            attempts.extend(wanted.map(|attempt| (task.clone(), attempt)));
        }
        Ok(attempts)
    }

    /// Reads the labels of elements that are not known yet.
    fn learn_names(&mut self, attempts: &[(String, u32)], journal: &Journal, home: &Home) -> Result<(), CliError> {
        let is_new = |(task, _): &(String, u32)| task.ends_with(']') && !self.names.contains_key(task);
        if !self.json && attempts.iter().any(is_new) {
            let history = home.wait(journal.history(&self.run))?;
            let named = |task: &TaskHistory| (task.id.to_string(), format::task(&task.id, task.label.as_deref()));
            self.names = history.tasks.iter().filter(|task| task.id.ends_with(']')).map(named).collect();
            for (task, _) in attempts {
                self.names.entry(task.clone()).or_insert_with(|| task.clone());
            }
        }
        Ok(())
    }

    /// Prints the records; `false` if there are none.
    fn print(&mut self, journal: &Journal, home: &Home, terminal: &Terminal) -> Result<bool, CliError> {
        let attempts = self.attempts()?;
        self.learn_names(&attempts, journal, home)?;
        let mut records = Vec::new();
        for (task, attempt) in &attempts {
            let log = read_log(&*self.logs, &self.name(task, *attempt));
            let log =
                log.map_err(|error| unreadable(&format!("the log of task `{task}`, attempt {attempt},"), &error))?;
            records.extend(log.records.into_iter().map(|record| (&**task, *attempt, record)));
        }
        let text = self.lines(records, terminal);
        self.offer(&text, terminal)?;
        Ok(!text.is_empty())
    }

    /// Prints the records, and new ones until no process runs the run.
    fn follow(&mut self, journal: &Journal, home: &Home, terminal: &Terminal) -> Result<bool, CliError> {
        let mut open: HashMap<(String, u32), Follow> = HashMap::new();
        let mut written = false;
        let mut checked: Option<Instant> = None;
        let mut ended = false;
        loop {
            if checked.is_none_or(|checked| checked.elapsed() >= STATE) {
                checked = Some(Instant::now());
                ended = !matches!(home.find(journal, &self.run)?.state, RunState::Queued | RunState::Running);
            }
            let attempts = self.attempts()?;
            self.learn_names(&attempts, journal, home)?;
            for attempt in attempts {
                let follow = || follow_log(&self.logs, self.name(&attempt.0, attempt.1));
                open.entry(attempt.clone()).or_insert_with(follow);
            }
            let mut records = Vec::new();
            for ((task, attempt), follow) in &mut open {
                let news = follow.poll();
                let news = news.map_err(|error| unreadable(&format!("the log of task `{task}`"), &error))?;
                records.extend(news.into_iter().map(|record| (&**task, *attempt, record)));
            }
            let text = self.lines(records, terminal);
            written |= !text.is_empty();
            if !text.is_empty() && !self.offer(&text, terminal)? {
                return Ok(true);
            }
            // The end of a run is stored shortly before its last log records are written.
            if ended && checked.is_some_and(|checked| checked.elapsed() >= STATE / 2) {
                return Ok(written);
            }
            std::thread::sleep(PACE);
        }
    }
}
