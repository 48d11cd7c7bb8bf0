//! `doctor`: checks what keeps a home from working when nobody watches.

use clap::{ArgMatches, Command};

use super::error::{CliError, Exit};
use super::source::Source;
use super::terminal::Terminal;
use super::{args, drive, fit, run_args};
use crate::base::text::one_line;
use crate::ops::{Finding, Severity};

pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Check the service, the store, the clock, the disk and the schedules")
        .after_help("The exit code is 1 if something needs attention. Changes nothing.")
}

pub(super) fn doctor(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    drive::quiet_panics();
    let diagnosis = source.doctor()?;
    let exit = if diagnosis.needs_attention { Exit::Failure } else { Exit::Success };
    if args::wants_json(matches) {
        run_args::print_json(&diagnosis, terminal)?;
        return Ok(exit);
    }
    let mut text = String::new();
    for finding in &diagnosis.findings {
        text += &lines(finding, terminal);
    }
    terminal.print(&text)?;
    Ok(exit)
}

/// `problem  no service is running`, and below it the next step.
fn lines(finding: &Finding, terminal: &Terminal) -> String {
    const INDENT: usize = "problem  ".len();

    let paint = terminal.paint_stdout();
    let severity = match finding.severity {
        Severity::Ok => paint.good("ok     "),
        Severity::Notice => paint.odd("notice "),
        Severity::Problem => paint.bad("problem"),
    };
    let mut text = format!("{severity}  {}", one_line(&finding.message));
    if let Some(next) = &finding.next_step {
        text += &format!("\n{:INDENT$}{}", "", paint.faint(&format!("-> {}", one_line(next))));
    }
    fit::prose(&text, terminal.width_stdout(), INDENT) + "\n"
}
