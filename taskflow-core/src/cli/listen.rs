//! The HTTP server of `serve`: its flags, and its life beside the service.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::CliError;
use super::home::Home;
use super::terminal::Terminal;
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::ops;
use crate::server::{BasePath, Oidc, RunningServer, Server, ServerError, ServerOptions, ServerState};
use crate::service::ServiceHandle;

/// Where the server listens unless an address is chosen.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090);

/// Adds the flags of the server to those of `serve`.
pub(super) fn options(command: Command) -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let bind = Arg::new("bind")
        .long("bind")
        .value_name("ADDRESS")
        .value_parser(|text: &str| {
            text.parse::<SocketAddr>().map_err(|_| "not an address and a port such as 127.0.0.1:8090")
        })
        .help(format!("Answer HTTP requests at this address; port 0 takes a free one [default: {DEFAULT}]"));
    command
        .arg(bind)
        .arg(
            Arg::new("base-path")
                .long("base-path")
                .value_name("PATH")
                .value_parser(|text: &str| text.parse::<BasePath>())
                .help("Answer below this path only, such as /team/dags behind a proxy"),
        )
        .arg(flag("open", "Open the pages in a browser"))
        .arg(flag("no-ui", "Serve the HTTP API without the pages"))
        .arg(flag("read-only", "Refuse HTTP requests that change something"))
        .arg(flag("setup", "Create the first user in a browser, with a token that is printed").conflicts_with("no-ui"))
        .arg(flag("insecure-no-auth", "Let everybody who reaches the server do everything").conflicts_with("setup"))
        .arg(flag("no-server", "Answer no HTTP requests").conflicts_with_all([
            "bind",
            "base-path",
            "open",
            "no-ui",
            "read-only",
            "setup",
            "insecure-no-auth",
        ]))
}

/// A server that has an address.
#[derive(Debug)]
pub(super) struct Listener {
    server: Server,
    /// Whether it has another port than the default one, because that is in use.
    is_moved: bool,
    base_path: BasePath,
    oidc: Option<Oidc>,
}

/// Takes the address of the server. Nothing is answered yet. `None` with `--no-server`.
///
/// If no address was chosen and the default one is in use, it takes a free port: the service starts
/// whatever else runs on this machine.
pub(super) fn bind(matches: &ArgMatches, home: &Home) -> Result<Option<Listener>, CliError> {
    if matches.get_flag("no-server") {
        return Ok(None);
    }
    let base_path = matches.get_one::<BasePath>("base-path").cloned().unwrap_or_default();
    let oidc = Oidc::of(home.config(), &base_path).map_err(|error| CliError::usage(error.to_string()))?;
    let chosen = matches.get_one::<SocketAddr>("bind").copied().or_else(|| home.config().settings().bind());
    let address = chosen.unwrap_or(DEFAULT);
    let bound = match address.ip().is_loopback() || oidc.is_none() && !is_protected(matches, home)? {
        true => Server::bind(address),
        false => Server::bind_public(address),
    };
    let is_moved = chosen.is_none() && matches!(bound, Err(ServerError::Taken { .. }));
    let bound = if is_moved { Server::bind(SocketAddr::new(DEFAULT.ip(), 0)) } else { bound };
    bound.map(|server| Some(Listener { server, is_moved, base_path, oidc })).map_err(|error| match error {
        ServerError::Public { .. } | ServerError::Taken { .. } => CliError::usage(error.to_string()),
        error => CliError::Failure(error.to_string()),
    })
}

/// Whether the server knows who may use it, or everybody may on purpose.
fn is_protected(matches: &ArgMatches, home: &Home) -> Result<bool, CliError> {
    if matches.get_flag("insecure-no-auth") || matches.get_flag("setup") {
        return Ok(true);
    }
    if home.config().settings().proxy_header().is_some() {
        return Ok(true);
    }
    // Without a home there are no users.
    home.wait(async {
        match home.home().find(ops::sync_mode(home.config(), None)).await? {
            Some(journal) => ops::accounts::has_users(&journal).await,
            None => Ok(false),
        }
    })
}

/// Answers requests from now on, and prints the address.
pub(super) async fn start(
    Listener { server, is_moved, base_path, oidc }: Listener,
    matches: &ArgMatches,
    home: &Home,
    journal: &Journal,
    handle: ServiceHandle,
    dags: &[&'static DagDef],
    terminal: &Terminal,
) -> Result<RunningServer, CliError> {
    let insecure_no_auth = matches.get_flag("insecure-no-auth");
    let options = ServerOptions {
        read_only: matches.get_flag("read-only"),
        no_ui: matches.get_flag("no-ui"),
        insecure_no_auth,
        setup: matches.get_flag("setup"),
        base_path: base_path.clone(),
        oidc,
    };
    let dags = dags.to_vec();
    let (state, setup) = ServerState::new(home.home(), journal, handle, dags, options, server.address()).await?;
    let server = server.serve(state).map_err(|error| CliError::Failure(error.to_string()))?;
    if !matches.get_flag("quiet") {
        let why = if is_moved { format!(", because port {} is in use", DEFAULT.port()) } else { String::new() };
        terminal.note(&format!("listening on http://{}{}{why}", server.address(), base_path.as_str()));
    }
    if matches.get_flag("open") {
        super::browser::open(&format!("http://{}{}/", server.address(), base_path.as_str()), terminal);
    }
    if let Some(token) = setup {
        terminal.note(&format!(
            "there are no users yet; open /setup within an hour and enter this set-up token, which works once: {token}"
        ));
    }
    if insecure_no_auth {
        terminal.warn("everybody who reaches the server may do everything, because of --insecure-no-auth");
    }
    Ok(server)
}
