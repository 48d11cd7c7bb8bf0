//! Runs the same queries as one Spark job on a cluster.

use std::collections::BTreeMap;
use std::path::{Path, absolute};

use serde::Serialize;
use taskflow::config::ConfigError;
use taskflow::prelude::*;
use taskflow::spark::SparkSubmit;

use super::month::Month;
use super::table::{TABLES, Table};

const JOB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/jobs/warehouse.py");

/// The argument of the job, as JSON.
#[derive(Serialize)]
struct Load<'a> {
    files: BTreeMap<&'a str, String>,
    tables: Vec<&'a str>,
    directory: String,
    year: i16,
    month: i8,
}

/// Loads all tables into the staging directory, which all machines of the cluster must share. The
/// task `publish` moves them, as for the other engine.
pub async fn load(ctx: &TaskContext, files: &[Table], month: &Month, master: Option<&str>) -> Result<Vec<Table>> {
    let staging = absolute(month.staging())?;
    // Without the scheme, a cluster may look for the path in HDFS.
    let url = |path: &Path| absolute(path).map(|path| format!("file://{}", path.display()));
    let load = Load {
        files: files.iter().map(|file| Ok((&*file.name, url(&file.path)?))).collect::<Result<_>>()?,
        tables: TABLES.iter().map(|table| table.name).collect(),
        directory: url(&staging)?,
        year: month.year,
        month: month.month,
    };
    let job = SparkSubmit::app(JOB).json_arg(&load).result::<BTreeMap<String, u64>>();
    // Without ANSI mode Spark casts invalid numbers to null, and a damaged file would be loaded.
    let job = job.conf("spark.sql.ansi.enabled", "true").conf("spark.sql.session.timeZone", "UTC");
    // Spark detects a row that is too short only if it reads all columns.
    let job = job.conf("spark.sql.csv.parser.columnPruning.enabled", "false");
    let job = match (master, ctx.connection("spark_default")) {
        (Some(master), _) => job.master(master),
        (None, Err(ConfigError::Missing { .. })) => job.master("local[2]"),
        (None, _) => job,
    };
    let done = job.run(ctx).await?;
    let table = |(name, rows): (&String, &u64)| Table { path: staging.join(name), name: name.clone(), rows: *rows };
    Ok(done.result.iter().map(table).collect())
}
