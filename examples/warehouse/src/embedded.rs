//! Runs the queries with DataFusion in this process, over CSV and Parquet files.

use std::fs;
use std::path::Path;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionContext};
use taskflow::Result;

use super::month::{Month, at};
use super::source::columns_of;
use super::table::{Definition, Table};

/// A session where queries can read these tables, and the month as `this_month`.
pub async fn session(tables: &[Table], month: &Month) -> Result<SessionContext> {
    let session = SessionContext::new();
    let Month { year, month, .. } = month;
    session.sql(&format!("create view this_month as select {year} as year, {month} as month")).await?;
    for Table { name, path, .. } in tables {
        if !path.exists() {
            return Err(format!(
                "{name} is no longer at {}, because publishing removes staged files; run the DAG again (a load can be repeated)",
                path.display()
            )
            .into());
        }
        let location = path.to_str().ok_or_else(|| at(path, "the path is not UTF-8"))?;
        if path.is_dir() {
            session.register_parquet(name, location, ParquetReadOptions::default()).await?;
        } else {
            session.register_csv(name, location, CsvReadOptions::new().schema(&text_schema(path)?)).await?;
        }
    }
    Ok(session)
}

/// Runs the query of a table, and writes its rows to one file in the staging directory.
pub async fn load(table: &Definition, from: &[Table], month: &Month) -> Result<Table> {
    let dir = month.staging().join(table.name);
    fs::create_dir_all(&dir).map_err(|error| at(&dir, error))?;
    let file = dir.join("part-0.parquet");
    let file = file.to_str().ok_or_else(|| at(&file, "the path is not UTF-8"))?;

    let query = session(from, month).await?.sql(table.sql).await.map_err(|error| failed(table, from, error))?;
    let one_file = DataFrameWriteOptions::new().with_single_file_output(true);
    query.write_parquet(file, one_file, None).await.map_err(|error| failed(table, from, error))?;

    let written = SessionContext::new().read_parquet(file, ParquetReadOptions::default()).await?;
    Ok(Table { name: table.name.to_owned(), path: dir, rows: written.count().await? as u64 })
}

fn failed(table: &Definition, from: &[Table], error: impl std::fmt::Display) -> String {
    let from: Vec<_> = from.iter().map(|table| table.path.display().to_string()).collect();
    format!("{name} (sql/{name}.sql), from {}: {error}", from.join(" and "), name = table.name)
}

/// The columns of the header, all as text. The queries cast them, in the same way for both engines.
fn text_schema(csv: &Path) -> Result<Schema> {
    let columns = columns_of(csv)?.into_iter();
    Ok(Schema::new(columns.map(|name| Field::new(name, DataType::Utf8, true)).collect::<Vec<_>>()))
}
