//! The HTTP server of `serve`: its flags, and its life beside the service.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::error::CliError;
use super::home::Home;
use super::live::{Signal, Signals};
use super::passed_socket;
use super::terminal::Terminal;
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::ops;
use crate::server::{BasePath, Oidc, RunningServer, Server, ServerError, ServerOptions, ServerState, Tls, TlsError};
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
    let file = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("FILE").value_parser(clap::value_parser!(PathBuf)).help(help)
    };
    command
        .arg(bind)
        .arg(file("tls-cert", "Answer over HTTPS with this certificate, in PEM"))
        .arg(file("tls-key", "The private key of the certificate, in PEM"))
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
            "tls-cert",
            "tls-key",
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
    /// What else to say about the address.
    remark: Remark,
    options: ServerOptions,
}

/// Where the address of a server is from, if nobody has chosen it.
#[derive(Clone, Copy, Debug)]
enum Remark {
    None,
    /// It has another port than the default one, because that is in use.
    Moved,
    /// systemd has passed its socket.
    Passed,
}

/// Takes the address of the server. Nothing is answered yet. `None` with `--no-server`.
///
/// If no address was chosen and the default one is in use, it takes a free port: the service starts
/// whatever else runs on this machine.
pub(super) fn bind(matches: &ArgMatches, home: &Home) -> Result<Option<Listener>, CliError> {
    if matches.get_flag("no-server") {
        return Ok(None);
    }
    let passed = passed_socket::take()?;
    let options = server_options(matches, home)?;
    if let Some(socket) = passed {
        return with_socket(socket, options, matches, home).map(Some);
    }
    let chosen = matches.get_one::<SocketAddr>("bind").copied().or_else(|| home.config().settings().bind());
    let address = chosen.unwrap_or(DEFAULT);
    let bound = match address.ip().is_loopback() || options.oidc.is_none() && !is_protected(matches, home)? {
        true => Server::bind(address),
        false => Server::bind_public(address),
    };
    let is_moved = chosen.is_none() && matches!(bound, Err(ServerError::Taken { .. }));
    let bound = if is_moved { Server::bind(SocketAddr::new(DEFAULT.ip(), 0)) } else { bound };
    let remark = if is_moved { Remark::Moved } else { Remark::None };
    bound.map(|server| Some(Listener { server, remark, options })).map_err(|error| match error {
        ServerError::Public { .. } | ServerError::Taken { .. } => CliError::usage(error.to_string()),
        error => CliError::Failure(error.to_string()),
    })
}

/// A server on the socket that systemd has passed.
fn with_socket(
    socket: TcpListener,
    options: ServerOptions,
    matches: &ArgMatches,
    home: &Home,
) -> Result<Listener, CliError> {
    if let Some(address) = matches.get_one::<SocketAddr>("bind") {
        return Err(CliError::usage(format!(
            "systemd passes a socket to `serve`, and --bind names the address {address}; remove one of them from the \
             units"
        )));
    }
    let server = Server::on(socket).map_err(|error| CliError::Failure(error.to_string()))?;
    let address = server.address();
    if !address.ip().is_loopback() && options.oidc.is_none() && !is_protected(matches, home)? {
        return Err(CliError::usage(ServerError::Public { address }.to_string()));
    }
    Ok(Listener { server, remark: Remark::Passed, options })
}

/// The options of the server, with its certificate.
fn server_options(matches: &ArgMatches, home: &Home) -> Result<ServerOptions, CliError> {
    let settings = home.config().settings();
    let file = |flag: &str, setting: Option<&Path>| {
        matches.get_one::<PathBuf>(flag).cloned().or_else(|| setting.map(Path::to_owned))
    };
    let missing = |has: &str, lacks: &str| {
        let setting = lacks.trim_start_matches('-').replace('-', "_");
        CliError::usage(format!("{has} needs {lacks}, or `{setting}` in [serve] of taskflow.toml"))
    };
    let files = match (file("tls-cert", settings.tls_cert()), file("tls-key", settings.tls_key())) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (Some(_), None) => return Err(missing("a certificate", "--tls-key")),
        (None, Some(_)) => return Err(missing("the key of a certificate", "--tls-cert")),
        (None, None) => None,
    };
    let base_path = matches.get_one::<BasePath>("base-path").cloned().unwrap_or_default();
    Ok(ServerOptions {
        read_only: matches.get_flag("read-only"),
        no_ui: matches.get_flag("no-ui"),
        insecure_no_auth: matches.get_flag("insecure-no-auth"),
        setup: matches.get_flag("setup"),
        oidc: Oidc::of(home.config(), &base_path).map_err(|error| CliError::usage(error.to_string()))?,
        base_path,
        tls: match files {
            Some((certificate, key)) => {
                Some(Tls::load(certificate, key).map_err(|error| CliError::usage(error.to_string()))?)
            }
            None => None,
        },
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
    Listener { server, remark, options }: Listener,
    matches: &ArgMatches,
    home: &Home,
    journal: &Journal,
    handle: ServiceHandle,
    dags: &[&'static DagDef],
    terminal: &Terminal,
) -> Result<RunningServer, CliError> {
    let ServerOptions { base_path, insecure_no_auth, .. } = options.clone();
    let scheme = if options.is_tls() { "https" } else { "http" };
    if let Some(warning) = options.tls.as_ref().and_then(|tls| tls.warning(Timestamp::now())) {
        terminal.warn(&warning);
    }
    let dags = dags.to_vec();
    let (state, setup) = ServerState::new(home.home(), journal, handle, dags, options, server.address()).await?;
    let server = server.serve(state).map_err(|error| CliError::Failure(error.to_string()))?;
    if !matches.get_flag("quiet") {
        let why = match remark {
            Remark::None => String::new(),
            Remark::Moved => format!(", because port {} is in use", DEFAULT.port()),
            Remark::Passed => ", a socket of systemd".to_owned(),
        };
        terminal.note(&format!("listening on {scheme}://{}{}{why}", server.address(), base_path.as_str()));
    }
    if matches.get_flag("open") {
        super::browser::open(&format!("{scheme}://{}{}/", server.address(), base_path.as_str()), terminal);
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

/// Waits for a signal that asks the program to end. Meanwhile a server over HTTPS looks every
/// second whether its certificate has changed; SIGHUP makes it read the files in any case, unless
/// the program was started on a terminal, where SIGHUP says that the terminal is gone.
pub(super) async fn until_signal(
    signals: &mut Signals,
    server: Option<&RunningServer>,
    terminal: &Terminal,
    shows: bool,
) -> Signal {
    let Some(server) = server.filter(|server| server.is_tls()) else { return signals.next().await };
    let renews = renews_on_hang_up(Some(server));
    let mut look = tokio::time::interval(std::time::Duration::from_secs(1));
    loop {
        let is_asked = tokio::select! {
            signal = signals.next() => match signal {
                Signal::HangUp if renews => true,
                signal => return signal,
            },
            _ = look.tick() => false,
        };
        match server.renew_certificate(is_asked).await {
            Some(Ok(tls)) => report_new(tls, terminal, shows),
            Some(Err(error)) => report_unusable(&error, terminal),
            None => {}
        }
    }
}

/// Whether SIGHUP makes the server read its certificate again.
pub(super) fn renews_on_hang_up(server: Option<&RunningServer>) -> bool {
    use std::io::IsTerminal as _;

    server.is_some_and(RunningServer::is_tls) && !std::io::stderr().is_terminal()
}

fn report_new(tls: &Tls, terminal: &Terminal, shows: bool) {
    if shows {
        terminal.note(&format!("the certificate {} was read again", tls.certificate().display()));
    }
    if let Some(warning) = tls.warning(Timestamp::now()) {
        terminal.warn(&warning);
    }
}

fn report_unusable(error: &TlsError, terminal: &Terminal) {
    terminal.error(&format!("the server keeps its certificate: {error}"));
}
