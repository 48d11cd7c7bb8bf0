//! Departure delays from New York City: CSV files in, a warehouse table and a report out.

mod input;
mod report;
mod summary;
mod warehouse;

use std::path::Path;

use input::{Flight, Name, Table, Weather};
use summary::{Joined, Summary, summarise};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let a: Vec<String> = std::env::args().collect();
    let (data, month) = (Path::new(&a[1]), a[2].as_str());
    let late = 15;
    let f = input::flights(data, month)?;
    let w = input::weather(data)?;
    let al = input::names(data, "airlines")?;
    let ap = input::names(data, "airports")?;
    let j = summary::join(&f, &w, &al, &ap);
    let s = vec![
        summarise("carrier", &j.departures, late, &al.rows, |d| &d.carrier),
        summarise("origin", &j.departures, late, &ap.rows, |d| &d.origin),
        summarise("destination", &j.departures, late, &ap.rows, |d| &d.dest),
        summarise("wind", &j.departures, late, &[], summary::wind),
        summarise("rain", &j.departures, late, &[], summary::rain),
    ];
    warehouse::replace(Path::new("target/warehouse.db"), month, &j, &s).await?;
    print!("{}", report::report(month, late, &f, &j, &s)?);
    Ok(())
}
