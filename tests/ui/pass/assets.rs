//! Assets in every form.

use std::collections::BTreeMap;

use taskflow::asset::{Day, Hour, Month};
use taskflow::prelude::*;
use taskflow::watch::{self, FileLanded};

taskflow::asset! {
    /// Bytes.
    ///
    /// In several lines.
    pub BYTES: Asset<Vec<u8>> = "bytes";
    pub(crate) TABLE: Asset<BTreeMap<String, Vec<u64>>, Month> = concat!("ta", "ble");
    HOURLY: Asset<(), Hour> = "hourly";
    REGIONS: taskflow::Asset<f64, String> = "regions";
    FILES: Asset<FileLanded> = "files";
}

taskflow::asset! {}

taskflow::watch!(FILES = watch::files("landing/*.csv").settle("30s").every("5s"));

mod elsewhere {
    taskflow::asset! {
        pub DAILY: taskflow::Asset<u64, taskflow::asset::Day> = "daily";
    }
}

#[task(produces = BYTES, on_change)]
fn plain() -> Vec<u8> {
    vec![1]
}

#[task(produces = TABLE, on_change = false)]
async fn of_a_month() -> Result<BTreeMap<String, Vec<u64>>> {
    Ok(BTreeMap::new())
}

#[task(produces = HOURLY)]
fn nothing() {}

#[task(produces = crate::elsewhere::DAILY)]
fn of_a_day() -> Result<u64, String> {
    Ok(1)
}

#[sensor(produces = elsewhere::DAILY)]
fn found() -> Option<u64> {
    Some(1)
}

#[task]
fn emits(ctx: &TaskContext, day: Date) -> Result<()> {
    ctx.emit(&BYTES, vec![1])?;
    ctx.emit_once(&BYTES, "key", vec![1])?;
    ctx.emit_partition(&elsewhere::DAILY, day, 1)?;
    ctx.emit_partition(&elsewhere::DAILY, Day(day), 1)?;
    ctx.emit_partition_once(&REGIONS, "eu", "key", 1.0)?;
    Ok(())
}

fn main() {
    taskflow::asset! {
        /// Inside of a function.
        INNER: Asset<u64> = "inner";
    }
    assert_eq!(INNER.def().doc, "Inside of a function.");
    assert_eq!(BYTES.def().doc, "Bytes.\n\n In several lines.");
    assert_eq!(TABLE.def().partition, Some("month"));
    assert_eq!(TABLE.name(), "table");
    assert!(taskflow::asset::Assets::all().iter().any(|asset| asset.name == "inner"));
}
