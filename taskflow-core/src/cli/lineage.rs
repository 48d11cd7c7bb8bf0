//! `lineage RUN`: the events and runs that a run comes from, and what comes from it.

use clap::{ArgMatches, Command};

use super::error::{CliError, Exit};
use super::fit;
use super::grid;
use super::source::Source;
use super::terminal::{Paint, Terminal};
use super::{args, format, run_args};
use crate::base::text::one_line;
use crate::ops::{EventDocument, Lineage, LineageRun};

/// More are shown as JSON only.
const SHOWN: usize = 50;

pub(super) fn command() -> Command {
    Command::new("lineage")
        .about("Show the events and runs that a run comes from, and what comes from it")
        .after_help("A run comes from the run that triggered it, and from those that emitted the events it consumes.")
        .arg(run_args::run_or_last())
}

pub(super) fn lineage(matches: &ArgMatches, source: &Source, terminal: &Terminal) -> Result<Exit, CliError> {
    let lineage = source.lineage(run_args::run_name(matches))?;
    if args::wants_json(matches) {
        return run_args::print_json(&lineage, terminal);
    }
    let text = text(&lineage, terminal.paint_stdout());
    terminal.print(&fit::prose(&text, terminal.width_stdout(), 4))?;
    Ok(Exit::Success)
}

fn text(lineage: &Lineage, paint: Paint) -> String {
    let Lineage { number, dag_id, consumed, emitted, behind, ahead, more, .. } = lineage;
    let mut text = String::new();
    for run in behind.iter().take(SHOWN).rev() {
        let (indent, state) = (" ".repeat(2 * run.depth as usize), grid::painted(run.state, paint));
        let verb = if run.asset.is_some() { "emitted to" } else { "triggered" };
        let asset = run.asset.as_ref().map(|asset| format!(" {}", one_line(asset))).unwrap_or_default();
        text += &format!("{indent}run {} of {} {verb} run {}{asset}: {state}\n", run.number, run.dag_id, run.of);
    }
    text += &format!("run {number} of {}\n", paint.strong(dag_id));
    for events in consumed {
        text += &format!("  {} {} as `{}`\n", paint.faint("consumed"), format::consumed(events), events.param);
    }
    for EventDocument { number, asset, .. } in emitted.iter().take(SHOWN) {
        text += &format!("  {} event {number} of {}\n", paint.faint("emitted"), one_line(asset));
    }
    for LineageRun { number, dag_id, state, depth, of, asset, .. } in ahead.iter().take(SHOWN) {
        let (indent, state) = (" ".repeat(2 * *depth as usize), grid::painted(*state, paint));
        let how = match asset {
            Some(asset) => format!("consumed {} of run {of}", one_line(asset)),
            None => format!("was triggered by run {of}"),
        };
        text += &format!("{indent}run {number} of {dag_id} {how}: {state}\n");
    }
    let hidden = [behind.len(), emitted.len(), ahead.len()].map(|count| count.saturating_sub(SHOWN));
    let is_cut = hidden.iter().sum::<usize>() > 0;
    text += match (is_cut, *more) {
        (false, false) => "",
        (true, false) => "and more; --output json shows all\n",
        (true, true) => "and more; --output json shows up to 500 runs each way\n",
        (false, true) => "and perhaps more: a run has more events than are looked at\n",
    };
    text
}
