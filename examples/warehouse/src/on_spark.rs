//! Spark: the same queries, as one job on a cluster.

use std::collections::BTreeMap;
use std::path::{Path, absolute};

use serde::Serialize;
use taskflow::config::ConfigError;
use taskflow::prelude::*;
use taskflow::spark::SparkSubmit;

use super::month::Month;
use super::table::{TABLES, Table};

const JOB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/jobs/warehouse.py");

/// What the job is told, as JSON.
#[derive(Serialize)]
struct Load<'a> {
    files: BTreeMap<&'a str, String>,
    tables: Vec<&'a str>,
    directory: String,
    year: i16,
    month: i8,
}

/// Makes all tables. They are written where all machines of the cluster must see them, and put in place by the task that does so for
/// either engine.
pub async fn load(ctx: &TaskContext, files: &[Table], month: &Month, master: Option<&str>) -> Result<Vec<Table>> {
    let staging = absolute(month.staging())?;
    // Of a path alone a cluster may think that it is one of its HDFS.
    let url = |path: &Path| absolute(path).map(|path| format!("file://{}", path.display()));
    let load = Load {
        files: files.iter().map(|file| Ok((&*file.name, url(&file.path)?))).collect::<Result<_>>()?,
        tables: TABLES.iter().map(|table| table.name).collect(),
        directory: url(&staging)?,
        year: month.year,
        month: month.month,
    };
    let job = SparkSubmit::app(JOB).json_arg(&load).result::<BTreeMap<String, u64>>();
    // Where Spark follows Hive in giving null for a text that is no number, a broken file would load.
    let job = job.conf("spark.sql.ansi.enabled", "true").conf("spark.sql.session.timeZone", "UTC");
    // A row that is too short is one only to who reads all of it.
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
