//! Errors of Spark Connect, and which of them are transient.

use spark_connect::SparkError;
use taskflow::{BoxError, ConfigError};

/// Why a session cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The connection is missing or invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The connection is not one to Spark Connect.
    #[error("the connection `{connection}` is of the kind `{kind}` instead of Spark Connect; write `sc://host:15002`")]
    WrongKind { connection: String, kind: String },
    /// The connection has no host.
    #[error("the connection `{connection}` has no host; write `sc://host:15002`")]
    NoHost { connection: String },
    /// The connection has a path, perhaps Spark's own syntax of parameters.
    #[error(
        "the connection `{connection}` has a path after its host and port; write parameters after `?` instead of `/;`, as \
         in `sc://host:15002?use_ssl=true&token=..`"
    )]
    Path { connection: String },
    /// The connection names a session. Attempts that share one would end it for each other.
    #[error(
        "the connection `{connection}` has a `session_id`; remove it, because each attempt has a session of its own"
    )]
    SharedSession { connection: String },
    /// The client rejects the address, for example a token without TLS.
    #[error("Spark Connect rejects the connection `{connection}`: {}", source.message())]
    Rejected { connection: String, source: Box<SparkError> },
    /// The server cannot be reached.
    #[error(
        "cannot reach {endpoint}, the address of the connection `{connection}` ({reason}); is the Spark Connect server \
         running? `sbin/start-connect-server.sh` of Spark starts it"
    )]
    Unreachable { connection: String, endpoint: String, reason: String },
    /// The server accepts the connection and does not respond.
    #[error(
        "{endpoint}, the address of the connection `{connection}`, does not respond like a Spark Connect server; is it \
         another server?"
    )]
    NoResponse { connection: String, endpoint: String },
    /// The server does not open a session.
    #[error(
        "{endpoint}, the address of the connection `{connection}`, did not open a session: {}",
        source.message.trim()
    )]
    NoSession { connection: String, endpoint: String, source: Box<SparkError> },
}

/// An error of a query, for `.map_err(QueryError)?`. Its text is the server's message; that of the
/// client repeats the name of the error.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message.trim())]
pub struct QueryError(pub SparkError);

/// The result of a query is incomplete.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server ended its response before the result was complete, and the client did not request the rest; start the server \
     with \
     `--conf spark.connect.execute.reattachable.senderMaxStreamDuration=0` and \
     `--conf spark.connect.execute.reattachable.senderMaxStreamSize=0`"
)]
pub struct IncompleteResult;

/// Whether another attempt may succeed. Returns `false` if the configuration, the query or the data
/// is invalid.
///
/// For `#[task(retries = 2, retry_on = connect::is_transient)]`. Errors of other kinds count as
/// transient.
pub fn is_transient(error: &BoxError) -> bool {
    if let Some(QueryError(error)) = error.downcast_ref() {
        return may_succeed_later(error);
    }
    if error.is::<IncompleteResult>() {
        return false;
    }
    match error.downcast_ref::<SessionError>() {
        Some(SessionError::NoSession { source, .. }) => may_succeed_later(source),
        Some(SessionError::Unreachable { .. } | SessionError::NoResponse { .. }) | None => true,
        Some(_) => false,
    }
}

/// Classes of `SQLSTATE` for invalid queries or data: unsupported feature, cardinality violation,
/// invalid data, constraint violation, syntax error or unknown name, error raised by the query.
const INVALID: [&str; 6] = ["0A", "21", "22", "23", "42", "P0"];
/// gRPC codes for requests that the server rejects: invalid argument, permission denied,
/// unimplemented, unauthenticated.
const REJECTED: [i32; 4] = [3, 7, 12, 16];

fn may_succeed_later(error: &SparkError) -> bool {
    let is_invalid = |state: &str| INVALID.iter().any(|class| state.starts_with(class));
    !error.sql_state.as_deref().is_some_and(is_invalid) && !error.grpc_code.is_some_and(|code| REJECTED.contains(&code))
}
