//! Finds damage in a file that cannot be opened as a store.
//!
//! Follows the [database header](https://www.sqlite.org/fileformat2.html#the_database_header) of
//! SQLite's file format.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::error::{CORRUPT, NOT_A_DATABASE, code};
use crate::base::units;

const HEADER: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// One sentence for each damage that can be named; none when the file is not damaged, or cannot be
/// read at all.
///
/// Only for a file that no other part of this process has open: closing it gives up the locks of
/// the whole process.
pub(crate) async fn examine(path: &Path) -> Vec<String> {
    let findings = header(path).unwrap_or_default();
    if findings.is_empty() { pages(path).await } else { findings }
}

/// Damage that the header shows.
fn header(path: &Path) -> std::io::Result<Vec<String>> {
    let mut header = Vec::with_capacity(HEADER);
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    Read::by_ref(&mut file).take(HEADER as u64).read_to_end(&mut header)?;
    if header.is_empty() {
        return Ok(Vec::new());
    }
    if !header.starts_with(MAGIC) {
        let what = "its first 16 bytes are not those of a SQLite database: something else was written over it";
        return Ok(vec![what.to_owned()]);
    }
    if header.len() < HEADER {
        return Ok(vec![format!("it ends within its header, after {} of {HEADER} bytes", header.len())]);
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let page = match u64::from(number(16) >> 16) {
        1 => 65_536,
        page => page,
    };
    if !page.is_power_of_two() || page < 512 {
        return Ok(vec![format!("its header is damaged: {page} bytes is not a valid page size")]);
    }
    let expected = u64::from(number(28)) * page;
    if expected > size {
        let (has, missing) = (units::bytes(size), units::bytes(expected - size));
        return Ok(vec![format!("it was cut off: it has {has}, and the last {missing} are missing")]);
    }
    Ok(Vec::new())
}

/// Damage that SQLite finds in the pages.
async fn pages(path: &Path) -> Vec<String> {
    match check(path).await {
        Ok(findings) => findings.into_iter().filter(|finding| finding != "ok").collect(),
        Err(error) if matches!(code(&error), Some(CORRUPT | NOT_A_DATABASE)) => {
            let reason = error.as_database_error().map(|error| error.message().to_owned()).unwrap_or_default();
            vec![format!("its list of tables cannot be read ({reason})")]
        }
        // A file that cannot be opened for another reason than damage: the error of opening says
        // it.
        Err(_) => Vec::new(),
    }
}

async fn check(path: &Path) -> sqlx::Result<Vec<String>> {
    let mut connection = SqliteConnectOptions::new().filename(path).read_only(true).connect().await?;
    let findings = sqlx::query_scalar("PRAGMA integrity_check(100)").fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(findings)
}
