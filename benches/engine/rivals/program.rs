//! A contender in any language: a program that the command line names.
//!
//! The program builds a graph, runs it, and prints what it measures:
//!
//! 1. Its arguments are how long to measure, in milliseconds, and the number of threads that run
//!    tasks. Instead of a time, `memory` stands for one build and one run whose memory is measured.
//! 2. Its standard input is the graph, one task per line in topological order: the operation and
//!    the numbers of its inputs, counted from 0, as in `sum 0 4 4`. The operations are `source`,
//!    `step`, `twice` and `sum`, with the meaning of [`Op`]. The last task returns the result.
//! 3. It prints each finding at once, one per line: `tasks 1000`; `build 7150` and
//!    `run 5120 result 42`, in nanoseconds; or `built-memory 4096` and `run-memory 4096 result 42`,
//!    in bytes. See [`Fact`].
//! 4. It ends with exit code 0.
//!
//! A wrong result, a missing one, or any other line is a failure.

use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{self, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Rival, WORKERS};
use crate::cell::Fact;
use crate::graph::{Graph, Op};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    name: String,
    file: PathBuf,
}

impl Program {
    /// Parses `NAME=FILE`. The error is a message for the user.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, file) = text.split_once('=').ok_or_else(|| format!("`--program {text}` is not NAME=FILE"))?;
        // The name goes into the tables.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte)) {
            return Err(format!(
                "`{name}` in `--program {text}` is not a name of letters, digits, `-`, `.`, `_` and `+`"
            ));
        }
        if Rival::ALL.iter().any(|rival| rival.name() == name) {
            return Err(format!("`{name}` in `--program {text}` is the name of a rival; choose another one"));
        }
        let file = path::absolute(file).map_err(|error| format!("the file in `--program {text}`: {error}"))?;
        let shown = file.display();
        let metadata = file
            .metadata()
            .map_err(|error| format!("the program {name}, {shown}: {error}; build it, or correct the path"))?;
        if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
            return Err(format!("the program {name}, {shown}, is not an executable file; name the built program"));
        }
        Ok(Program { name: name.to_owned(), file })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The process that measures times, or memory without a budget.
    pub(crate) fn command(&self, budget: Option<Duration>) -> Command {
        let budget = budget.map_or_else(|| "memory".to_owned(), |budget| budget.as_millis().to_string());
        let mut command = Command::new(&self.file);
        command.args([budget, WORKERS.to_string()]);
        command
    }

    /// Parses a line of the process. The error is a message for the user.
    pub(crate) fn read(&self, line: &str, expected: u64) -> Result<Fact, String> {
        let Program { name, .. } = self;
        let (finding, result) =
            line.split_once(" result ").map_or((line, None), |(finding, result)| (finding, Some(result)));
        let fact = Fact::parse(finding).ok_or_else(|| {
            format!("{name} prints `{line}`, which is no finding; benches/engine/rivals/program.rs lists them")
        })?;
        match (fact, result) {
            (Fact::Run(_) | Fact::RunMemory(_), None) => Err(format!("{name} prints `{line}` without `result NUMBER`")),
            (_, Some(result)) if result.parse() != Ok(expected) => {
                Err(format!("{name} gives the result {result} instead of {expected}"))
            }
            _ => Ok(fact),
        }
    }
}

/// Writes `graph` as a program reads it.
pub(crate) fn write(graph: &Graph, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    for (op, inputs) in graph.tasks() {
        out.write_all(match op {
            Op::Source => b"source",
            Op::Step => b"step",
            Op::Twice => b"twice",
            Op::Sum => b"sum",
        })?;
        for input in inputs {
            write!(out, " {input}")?;
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}
