//! The findings of the processes of a measurement.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::job::{JOB, Job, Rows};
use super::options::Options;
use super::outside::Programs;
use crate::cell::ALLOCATOR;

/// The findings of all processes.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub(super) tasks: u64,
    /// Durations of runs, in nanoseconds.
    pub(super) runs: Vec<u64>,
    pub(super) rows: Rows,
    /// The size of the database per run without the graph, in bytes.
    pub(super) database: u64,
    /// The size of the stored graph, in bytes.
    pub(super) graph: u64,
    /// The peak memory that a run adds, in bytes.
    pub(super) memory: Option<u64>,
    pub(super) failed: bool,
    /// No run ended within the time limit.
    pub(super) cut_off: bool,
}

impl Findings {
    /// Runs one process and adds its findings. Kills it after the time limit.
    pub(super) fn measure(&mut self, job: Job, options: &Options, programs: &Programs) {
        let home = options.home.join(format!("{}-{}", job.contender.name(), std::process::id()));
        // Left by a process that was killed.
        let _ = std::fs::remove_dir_all(&home);
        let command =
            if Programs::is_outside(job.contender) { programs.command(&job, &home) } else { Some(own(&job, &home)) };
        match command {
            Some(command) => self.follow(command, job, options.limit),
            None => self.failed = true,
        }
        let _ = std::fs::remove_dir_all(&home);
    }

    fn follow(&mut self, mut command: Command, job: Job, limit: Duration) {
        if job.memory {
            command.env(ALLOCATOR.0, ALLOCATOR.1);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program is there");
        let output = child.stdout.take().expect("its output is piped");
        let (sender, lines) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            // The receiver may have stopped after the time limit.
            BufReader::new(output).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        let deadline = Instant::now() + limit;
        let mut in_time = true;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.add(&line, job.memory),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    in_time = false;
                    // The process may have ended in the meantime.
                    let _ = child.kill();
                    break;
                }
            }
        }
        let ended = child.wait().expect("the child is ours");
        drop(lines);
        reader.join().expect("reading lines does not panic");
        self.failed |= in_time && !ended.success();
        self.cut_off = !in_time && self.runs.is_empty();
    }

    fn add(&mut self, line: &str, memory: bool) {
        let Some((name, number)) = line.split_once(' ') else { return };
        let Ok(number) = number.parse() else { return };
        match name {
            "tasks" => self.tasks = number,
            "run" if !memory => self.runs.push(number),
            "memory" => self.memory = Some(number),
            "segments" if !memory => self.rows.segments = number,
            "events" if !memory => self.rows.events = number,
            "data" if !memory => self.rows.data = number,
            "graph" => self.graph = number,
            "database" if !memory => self.database = number,
            _ => {}
        }
    }

    /// Whether noise averages out in a single process.
    pub(super) fn is_slow(&self) -> bool {
        self.runs.iter().any(|&run| u128::from(run) > crate::suite::SLOW.as_nanos())
    }
}

fn own(job: &Job, home: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of this program is known"));
    command.arg(JOB).args(job.args(home));
    command
}
