//! What people read when something is wrong, and whether another attempt follows.

use std::net::TcpListener;

use spark_connect::prelude::*;
use taskflow::{BoxError, Config, Result, TaskContext};

use crate::connect::{self, QueryError, is_passing};
use crate::server::{Server, eventually};

/// What becomes of a session on a connection: the error, and whether it may pass.
async fn refused(address: &str) -> (String, bool) {
    let config = Config::builder().connection("spark_connect", address).build().expect("it is a connection");
    refused_with(&config).await
}

async fn refused_with(config: &Config) -> (String, bool) {
    let context = TaskContext::detached("refused").with_config(config);
    let error: BoxError = connect::session(&context, "spark_connect").await.expect_err("it leads nowhere").into();
    (error.to_string(), is_passing(&error))
}

#[tokio::test]
async fn a_connection_that_is_not_there_is_named_with_its_places() {
    let (error, passing) = refused_with(&Config::builder().build().expect("nothing is wrong")).await;
    assert_eq!(
        error,
        "there is no connection `spark_connect`; it can be given below [connections] in taskflow.toml, as \
         TASKFLOW_CONN_SPARK_CONNECT in the environment, or by the program with \
         `Config::builder().connection(\"spark_connect\", ..)`"
    );
    assert!(!passing);
}

#[tokio::test]
async fn a_connection_that_does_not_suit_is_told_with_what_does() {
    for (address, expected) in [
        ("spark://localhost:7077", "is one of the kind `spark`, not to Spark Connect: write `sc://host:15002`"),
        ("sc://", "names no host: write `sc://host:15002`"),
        (
            "sc://localhost:15002/;token=hidden",
            "has something behind its host and port: parameters follow a `?`, as in \
             `sc://host:15002?use_ssl=true&token=..`, and not `/;`",
        ),
        (
            "sc://localhost?session_id=f3b0f5b4-1c5f-4d8e-9a55-6a1d5b1f0c11",
            "has a `session_id`: leave it out, each attempt has a session of its own",
        ),
    ] {
        let (error, passing) = refused(address).await;
        assert_eq!(error, format!("the connection `spark_connect` {expected}"));
        assert!(!passing);
    }
}

#[tokio::test]
async fn a_token_is_not_sent_without_tls_but_to_this_machine() {
    let (error, passing) = refused("sc://:secret-token@127.0.0.2:15002").await;
    assert_eq!(
        error,
        "the connection `spark_connect` does not suit Spark Connect: Refusing to send the authentication token to \
         '127.0.0.2' over an insecure connection. Set 'use_ssl=true' in the connection string to enable TLS (a token is \
         only allowed without TLS when connecting to localhost)."
    );
    assert!(!passing);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once_and_may_come() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
    let (error, passing) = refused(&format!("sc://{free}")).await;
    let expected = format!(
        "nobody answers at {free}, where the connection `spark_connect` leads (Connection refused (os error 111)): is the \
         Spark Connect server running there? `sbin/start-connect-server.sh` of a Spark starts one"
    );
    assert_eq!(error, expected);
    assert!(passing);
}

#[tokio::test]
async fn a_query_that_is_wrong_is_told_in_the_words_of_the_server_and_stays_wrong() -> Result<()> {
    let server = Server::shared();
    let context = TaskContext::detached("wrong").with_config(&server.config());
    let spark = connect::session(&context, "spark_connect").await?;
    for (query, expected) in [
        ("SELEC 1", "[PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'."),
        ("SELECT * FROM nowhere", "[TABLE_OR_VIEW_NOT_FOUND] The table or view `nowhere` cannot be found."),
        (
            "SELECT nobody FROM range(3)",
            "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter",
        ),
        ("SELECT 1 / 0", "[DIVIDE_BY_ZERO] Division by zero."),
        ("SELECT CAST('x' AS INT)", "[CAST_INVALID_INPUT] The value 'x' of the type \"STRING\" cannot be cast"),
        ("SELECT assert_true(id < 2) FROM range(3)", "[USER_RAISED_EXCEPTION] '(id < 2)' is not true!"),
        ("SELECT * FROM text.`/no/such/file`", "[PATH_NOT_FOUND] Path does not exist: file:/no/such/file."),
    ] {
        let error = spark.sql(query)?.collect_async().await.expect_err("it is wrong");
        let error: BoxError = QueryError(error).into();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!is_passing(&error), "{error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_query_may_be_tried_again() -> Result<()> {
    let server = Server::shared();
    let context = TaskContext::detached("interrupted").with_config(&server.config());
    let spark = connect::session(&context, "spark_connect").await?;
    let query = spark.sql("SELECT sum(hash(id)) FROM range(0, 2000000000000, 1, 10000)")?;
    let waiting = tokio::spawn(query.collect_async());
    let runs = || server.jobs("taskflow-task=interrupted").iter().any(|job| job.status == "RUNNING");
    tokio::task::block_in_place(|| eventually("the job runs", runs));
    assert_eq!(spark.interrupt_all().await?.len(), 1);
    let error: BoxError = QueryError(waiting.await?.expect_err("it was interrupted")).into();
    assert!(error.to_string().starts_with("[OPERATION_CANCELED]"), "{error}");
    assert!(is_passing(&error));
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_told_from_a_whole_one() -> Result<()> {
    let hasty = Server::start("1s");
    let context = TaskContext::detached("cut").with_config(&hasty.config());
    let spark = connect::session(&context, "spark_connect").await?;
    let rows = spark.sql("SELECT sum(hash(id)) FROM range(0, 2000000000000, 1, 10000)")?.collect_async().await?;
    // A sum has one row.
    assert_eq!(rows.len(), 0);
    let error: BoxError = spark.check_whole().expect_err("a row is missing").into();
    assert!(error.to_string().starts_with("the server ended its answer before the result was whole"), "{error}");
    assert!(!is_passing(&error));
    Ok(())
}
