//! `serve`: the process that stays. It starts the runs of schedules and works on queued runs.

use std::cell::Cell;
use std::num::NonZeroUsize;

use clap::{Arg, ArgAction, ArgMatches, Command};
use tokio::sync::oneshot;

use super::choose::Dags;
use super::error::{CliError, Exit};
use super::home::{self, Home};
use super::live::{Signal, Signals};
use super::terminal::Terminal;
use super::{drive, format, grid, run_args, systemd};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::ops;
use crate::run::{RunInfo, RunState, RunType};
use crate::schedule::{BEHIND, Catchup, GRACE, MissedSlots, Note, SlotRecord};
use crate::service::{Service, ServiceEvent, ServiceOptions};

pub(super) fn command() -> Command {
    let command = Command::new("serve")
        .about("Run the schedules of the DAGs, and the runs that are queued, until it is stopped")
        .after_help(
            "SIGTERM or Ctrl-C drains: nothing new starts, running tasks have their grace time, and the next `serve` \
             resumes their runs. A second signal ends it at once; its runs are resumed all the same.",
        )
        .arg(
            Arg::new("only")
                .long("only")
                .value_name("DAG,..")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .help("Serve only these DAGs"),
        )
        .arg(
            Arg::new("no-schedule")
                .long("no-schedule")
                .action(ArgAction::SetTrue)
                .help("Start no runs of schedules, only queued ones and those of backfills"),
        )
        .arg(
            Arg::new("max-active-runs")
                .long("max-active-runs")
                .value_name("N")
                .value_parser(|text: &str| text.parse::<NonZeroUsize>().map_err(|_| "not a number of at least 1"))
                .help("Run at most N runs at once; the others wait in the queue [default: 1000]"),
        );
    #[cfg(feature = "server")]
    let command = super::listen::options(command);
    run_args::run_options(command)
}

pub(super) fn serve(matches: &ArgMatches, home: &Home, terminal: &Terminal) -> Result<Exit, CliError> {
    let flags = drive::RunFlags::read(matches);
    let dags = served(matches)?;
    let config = home.config();
    // Before anything starts: a port that is in use ends the program.
    #[cfg(feature = "server")]
    let listener = super::listen::bind(matches, home)?;
    let journal = home.service_journal(home::sync(matches, config))?;
    let engine = flags.engine(config)?;
    drive::quiet_panics();
    let cannot = |error: std::io::Error| CliError::Failure(format!("cannot serve: {error}"));
    let sink = drive::capture_for_service(home.home(), flags.shows_logs(), *terminal).map_err(cannot)?;
    let options = ServiceOptions {
        with_schedules: !matches.get_flag("no-schedule"),
        grace: ops::grace(config),
        durability: home::durability(matches, config),
        max_active_runs: ops::max_active_runs(config, matches.get_one::<NonZeroUsize>("max-active-runs").copied()),
    };
    // Async tasks use the threads of this runtime.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(cannot)?;
    let (exit, server, mut signals) = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(cannot)?;
        let service = Service::new(home.path(), &journal, &engine, dags.clone(), options)?;
        #[cfg(feature = "server")]
        let server = match listener {
            Some(listener) => {
                Some(super::listen::start(listener, matches, home, &journal, service.handle(), &dags, terminal).await?)
            }
            None => None,
        };
        #[cfg(not(feature = "server"))]
        let server = ();
        let handle = service.handle();
        let is_draining = Cell::new(false);
        let mut exit = Exit::Success;
        let (ask, asked) = oneshot::channel();
        // Beside the service, whose turn may wait for its store: signals are heard when they come.
        let signalled = async {
            #[cfg(feature = "server")]
            let mut next =
                async || super::listen::until_signal(&mut signals, server.as_ref(), terminal, !flags.quiet).await;
            #[cfg(not(feature = "server"))]
            let mut next = async || signals.next().await;
            let signal = next().await;
            is_draining.set(true);
            systemd::notify("STOPPING=1");
            #[cfg(feature = "server")]
            if let Some(server) = &server {
                server.drain();
            }
            if !flags.quiet {
                terminal.note(&format!(
                    "stopping: running tasks have their grace time; {} stops at once; the next `serve` resumes their \
                     runs",
                    signal.again(),
                ));
            }
            exit = match signal.exit() {
                // A supervisor asks a service to stop with SIGTERM: that is its regular end.
                Exit::Terminated => Exit::Success,
                exit => exit,
            };
            // The service has the receiver until it has ended, and this future with it.
            let _ = ask.send(signal.reason().to_owned());
            next().await
        };
        let stop = async {
            match asked.await {
                Ok(reason) => reason,
                // Nobody asks any more.
                Err(_) => std::future::pending().await,
            }
        };
        let path = home.path().display().to_string();
        let report = |event: ServiceEvent| {
            #[cfg(feature = "server")]
            if let Some(server) = &server {
                server.observe(&event);
            }
            report(&event, flags.quiet, &path, terminal);
        };
        let second = tokio::select! {
            biased;
            () = systemd::watched(service.run(stop, report), || handle.last_turn(), &is_draining) => None,
            signal = signalled => Some(signal),
        };
        if let Some(signal) = second {
            end_at_once(signal, flags.quiet, terminal);
        }
        Ok::<_, CliError>((exit, server, signals))
    })?;
    #[cfg(feature = "server")]
    let renews = super::listen::renews_on_hang_up(server.as_ref());
    #[cfg(not(feature = "server"))]
    let renews = false;
    // Open requests and the callbacks of earlier runs may take some seconds each.
    let closed = async {
        // It answers until the runs have stopped. Waits for a thread, and can only fail with it.
        #[cfg(feature = "server")]
        let _ = tokio::task::spawn_blocking(move || drop(server)).await;
        #[cfg(not(feature = "server"))]
        let () = server;
        sink.flush();
        engine.blocking_warnings().iter().for_each(|warning| terminal.warn(warning));
        home.home().close(&journal).await;
    };
    let second = async {
        loop {
            match signals.next().await {
                // It is about a certificate that is not used any more.
                Signal::HangUp if renews => {}
                signal => break signal,
            }
        }
    };
    let second = runtime.block_on(async {
        tokio::select! {
            biased;
            () = closed => None,
            signal = second => Some(signal),
        }
    });
    if let Some(signal) = second {
        end_at_once(signal, flags.quiet, terminal);
    }
    Ok(exit)
}

/// Ends the program without what it would still do, after a second signal.
fn end_at_once(signal: Signal, quiet: bool, terminal: &Terminal) -> ! {
    if !quiet {
        terminal.note("stopped at once");
    }
    std::process::exit(signal.exit().code().into());
}

/// The DAGs of `--only`, or all.
fn served(matches: &ArgMatches) -> Result<Vec<&'static DagDef>, CliError> {
    let dags = Dags::of_binary();
    match matches.get_many::<String>("only") {
        Some(names) => names.map(|name| dags.find(Some(name))).collect(),
        None => Ok(dags.by_id().collect()),
    }
}

/// Prints an event as one line, with the time.
fn report(event: &ServiceEvent, quiet: bool, home: &str, terminal: &Terminal) {
    let line = |text: String| {
        if !quiet {
            terminal.note(&format!("{} {text}", format::time(Timestamp::now())));
        }
    };
    match event {
        ServiceEvent::Ready { dags, schedules, consumers, .. } => {
            systemd::notify("READY=1");
            let (dags, schedules) = (format::count(*dags, "DAG"), format::count(*schedules, "schedule"));
            let consumers = match consumers {
                0 => String::new(),
                count => format!(" and {}", format::count(*count, "consumer of events")),
            };
            line(format!("serving {dags} with {schedules}{consumers}; home {home}"));
        }
        ServiceEvent::Unserved { dag, reason, .. } => {
            terminal.error(&format!("the schedule of `{dag}` is not served: {reason}"));
        }
        ServiceEvent::Due { dag, slot, late, .. } if *late > GRACE => {
            line(format!("{dag}: the slot {} is {} late", format::moment(*slot), format::duration(*late)));
        }
        // Its run starts at once, or its refusal says why not.
        ServiceEvent::Due { .. } => {}
        ServiceEvent::Paused { dag, reason, .. } => {
            terminal.error(&format!("`{dag}` was paused, and its events stay pending: {reason}"));
        }
        ServiceEvent::Started { run, resumed, .. } => {
            let verb = if *resumed { "resumed" } else { "started" };
            let about = match run.info.run_type {
                RunType::Scheduled => format!(" (slot {})", format::moment(run.info.logical_date)),
                RunType::Backfill => format!(" (backfill, slot {})", format::moment(run.info.logical_date)),
                RunType::Event => format!(" ({})", events_of(&run.info)),
                _ => String::new(),
            };
            line(format!("run {} of {} {verb}{about}", run.number, run.info.dag_id));
        }
        ServiceEvent::Refused { run, reason, .. } => {
            terminal.error(&format!("run {} of `{}` cannot be started: {reason}", run.number, run.info.dag_id));
        }
        ServiceEvent::AtLimit { limit, waiting, .. } => {
            let wait = if *waiting == 1 { "1 run waits".to_owned() } else { format!("{waiting} runs wait") };
            line(format!("{wait}: max_active_runs = {limit}"));
        }
        ServiceEvent::Ended { number, dag_id, state, took, .. } => {
            let took = format::duration(*took);
            let shown = grid::painted(*state, terminal.paint_stderr());
            let hint = match state {
                RunState::Failed => format!("; `status {number}` shows why"),
                _ => String::new(),
            };
            line(format!("run {number} of {dag_id}: {shown} after {took}{hint}"));
        }
        ServiceEvent::Recorded { dag, record, .. } => line(format!("{dag}: {}", recorded(record))),
        ServiceEvent::Noted { dag, note, .. } => line(format!("{dag}: {}", noted(note))),
        ServiceEvent::Backfill { number, dag, phase, counts, .. } => {
            line(format!("backfill {number} of {dag} is {}", super::backfills::outcome(phase, counts)));
        }
        ServiceEvent::Watched { source, assets, count, .. } => {
            line(format!("{} of {} from {source}", format::count(*count, "event"), assets.join(", ")));
        }
        ServiceEvent::WatchFailed { source, error, pause, .. } => {
            let pause = format::duration(*pause);
            terminal.error(&format!("the watcher of {source} has failed and is started again in {pause}: {error}"));
        }
        ServiceEvent::ClockBehind { now, by, dags, .. } => terminal.error(&format!(
            "nothing is scheduled, because the clock shows {} and is {} behind the schedules of {}; set the clock, or \
             `reset-schedule` if it was wrong before",
            format::time(*now),
            format::duration(*by),
            format::some(dags, 10),
        )),
        ServiceEvent::Recovered { after, .. } => {
            terminal.note(&format!(
                "{} the store works again, after {}",
                format::time(Timestamp::now()),
                format::duration(*after)
            ));
        }
        ServiceEvent::NotCancelled { dag, run, error, .. } => {
            terminal.error(&format!("run {run} of `{dag}` cannot be cancelled for the next slot: {error}"));
        }
        ServiceEvent::Trouble { error, .. } => terminal.error(error),
    }
}

/// `event 12 of warehouse/orders; events 3 to 7 of ecb/rates`
fn events_of(run: &RunInfo) -> String {
    let consumed = run.triggering_events.as_ref().map_or(&[][..], |events| &events.consumed);
    consumed.iter().map(format::consumed).collect::<Vec<_>>().join("; ")
}

/// `71 slots missed, 28 Nov 12:00 to 1 Dec 10:00: no service was running`
fn recorded(record: &SlotRecord) -> String {
    let SlotRecord { first, last, count, fate, reason } = record;
    let fate = fate.name();
    match count {
        1 => format!("the slot {} was {fate}: {reason}", format::moment(*first)),
        _ => format!("{count} slots were {fate}, {} to {}: {reason}", format::moment(*first), format::moment(*last)),
    }
}

pub(super) fn noted(note: &Note) -> String {
    match note {
        Note::TimetableChanged { from, to } => {
            format!("the timetable has changed from `{from}` to `{to}`, which began then; no slot is repeated")
        }
        Note::ZoneRulesChanged { zone } => {
            format!("the program has other rules for the time zone {zone} than before; no slot is repeated")
        }
        Note::ClockWentBack { by } => {
            format!("the clock went back by {}; no slot is repeated", format::duration(*by))
        }
        Note::FallsBehind { first } => {
            format!("it falls behind its schedule: {BEHIND} slots wait, the first is {}", format::moment(*first))
        }
        Note::Paused(pause) => {
            let until = pause.until.map(|until| format!(" until {}", format::moment(until))).unwrap_or_default();
            format!("paused by {}{until}{}", pause.by, because(&pause.reason))
        }
        Note::PauseEnded(pause) => format!("the pause by {} has reached its end", pause.by),
        Note::Unpaused { by, reason, catchup } => {
            let slots = match catchup {
                Catchup::None => "",
                Catchup::Last => ", and the last slot that had passed ran",
                Catchup::All => ", and all slots that had passed ran",
            };
            format!("unpaused by {by}{slots}{}", because(reason))
        }
        Note::DeadlineMissed(missed) => deadline_missed(missed),
        Note::Reset { by, reason, from, to } => {
            let span = if from == to { String::new() } else { format!(" from {}", format::moment(*from)) };
            format!("reset by {by}{span} to {}{}", format::moment(*to), because(reason))
        }
    }
}

/// `the slot 28 Nov 06:00 missed its deadline, 28 Nov 09:00: run 5 is queued, ..`
fn deadline_missed(missed: &MissedSlots) -> String {
    let (last, deadline, reason) = (format::moment(missed.last), format::moment(missed.deadline), &missed.reason);
    match missed.count {
        1 => format!("the slot {last} missed its deadline, {deadline}: {reason}"),
        count => {
            let first = format::moment(missed.first);
            format!("{count} slots, {first} to {last}, missed their deadlines, the last one {deadline}: {reason}")
        }
    }
}

/// `: the clock was wrong`
fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}
