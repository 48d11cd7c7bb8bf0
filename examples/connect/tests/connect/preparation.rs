//! Compares the results of Spark with those of `examples/recommend` for the same log, and runs the
//! program.

use std::fs;
use std::process::Command;

use taskflow::{Result, TaskContext};

use crate::on_one_machine::{days, pages_read, sessions};
use crate::on_spark::{Day, prepare};
use crate::server::Server;

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/access.log.gz");

fn prepared_locally(log: &str, idle_min: u32) -> Result<Vec<Day>> {
    let day = |day| {
        let day = pages_read::call(day);
        let visits = sessions::call(&day, idle_min);
        Day { date: day.date, pages_read: day.requests.len(), visits }
    };
    Ok(days::call(log)?.into_iter().map(day).collect())
}

async fn prepared_by_spark(server: &Server, log: &str, idle_min: u32) -> Result<Vec<Day>> {
    let context = TaskContext::detached("prepare").with_config(&server.config());
    prepare::call(&context, log, idle_min).await
}

#[tokio::test]
async fn the_visits_are_the_same_as_on_one_machine() -> Result<()> {
    let server = Server::shared();
    for idle_min in [1, 30] {
        let here = prepared_locally(LOG, idle_min)?;
        assert_eq!(prepared_by_spark(&server, LOG, idle_min).await?, here);
        assert_eq!((here.len(), here.iter().all(|day| day.visits.len() > 20)), (4, true));
    }
    Ok(())
}

#[tokio::test]
async fn spark_rejects_the_same_lines_as_one_machine() -> Result<()> {
    let server = Server::shared();
    let line = |time: &str, request: &str, status: &str, agent: &str| {
        format!("10.0.0.1 - - [{time}] \"{request}\" {status} 12 \"-\" \"{agent}\"\n").into_bytes()
    };
    let (noon, agent) = ("17/May/2015:12:05:00 +0000", "Firefox");
    let lines = [
        // Both at noon, in the order of the lines.
        line(noon, "GET /b HTTP/1.1", "200", agent),
        line(noon, "GET /a HTTP/1.1", "304", agent),
        line("17/May/2015:14:05:01 +0200", "GET /c.html?page=1#top HTTP/1.1", "200", agent),
        line(noon, "GET /rejected.png HTTP/1.1", "200", agent),
        line(noon, "GET /rejected\u{e9}.d/x.y HTTP/1.1", "200", agent),
        line(noon, "POST /rejected HTTP/1.1", "200", agent),
        line(noon, "GET /rejected HTTP/1.1", "404", agent),
        line(noon, "GET /rejected HTTP/1.1", "two hundred", agent),
        line(noon, "GET /rejected", "200", agent),
        line("32/May/2015:12:05:00 +0000", "GET /rejected HTTP/1.1", "200", agent),
        line(noon, "GET /rejected HTTP/1.1", "200", "no \\\" end\\"),
        line(noon, "GET /\\\"quoted\\\" HTTP/1.1", "200", agent),
        // Another visitor, because of the user agent.
        line(noon, "GET /d HTTP/1.1", "200", "a \\\" b"),
        line(noon, "GET /e HTTP/1.1", "200", "a \\\" b"),
        // Midnight ends a visit.
        line("17/May/2015:23:59:59 +0000", "GET /f HTTP/1.1", "200", agent),
        line("18/May/2015:00:00:01 +0000", "GET /g HTTP/1.1", "200", agent),
        line("18/May/2015:00:00:02 +0000", "GET /h HTTP/1.1", "200", agent),
        b"10.0.0.1 - - [17/May/2015:12:05:00 +0000] \"GET /\xff HTTP/1.1\" 200 - \"-\" \"Firefox\"\n".to_vec(),
        b"\n".to_vec(),
    ];
    let robots = line("19/May/2015:00:00:01 +0000", "GET /robots.txt HTTP/1.1", "404", "another");
    let read_by_robot = line("19/May/2015:10:00:01 +0000", "GET /i HTTP/1.1", "200", agent);
    let log = server.folder().join("odd.log");
    fs::write(&log, [lines.concat(), robots, read_by_robot].concat())?;
    let log = log.to_string_lossy();

    let mut here = prepared_locally(&log, 30)?;
    // On one machine, a day is included even if no page was read.
    assert_eq!(here.pop().map(|day| (day.date, day.pages_read)), Some(("2015-05-19".to_owned(), 0)));
    assert_eq!(here[0].visits, [vec!["/b", "/a", "/\\\"quoted\\\"", "/c.html"], vec!["/d", "/e"]]);
    assert_eq!(prepared_by_spark(&server, &log, 30).await?, here);
    Ok(())
}

#[test]
fn the_program_publishes_what_the_example_without_spark_does() -> Result<()> {
    let (server, home) = (Server::shared(), tempfile::tempdir()?);
    let model = home.path().join("pages.json");
    let mut program = Command::new(env!("CARGO_BIN_EXE_taskflow-example-connect"));
    program.args(["run", "--quiet", "--model-file"]).arg(&model).env("TASKFLOW_HOME", home.path());
    program.env("TASKFLOW_CONN_SPARK_CONNECT", format!("sc://{}", server.address));
    let output = program.output()?;
    let stdout = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    // The same figures as in tests/examples/recommend.rs.
    let lines: Vec<&str> = stdout.lines().collect();
    let days = ["2015-05-17 636 64", "2015-05-18 1109 133", "2015-05-19 790 77", "2015-05-20 760 83"];
    assert_eq!(
        lines[1..5].iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>(),
        days
    );
    assert!(lines[5].starts_with("published 365 pages to "), "{stdout}");
    assert!(lines[5].ends_with("47 of 72 last pages were recommended, 24 by popularity"), "{stdout}");
    assert!(model.exists());
    Ok(())
}
