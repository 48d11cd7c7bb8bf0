//! The report: one table per dimension, with a bar for the share of late flights.

use std::fmt::Write;

use super::summary::{Group, Joined, Summary};

const ROWS: usize = 16;

pub fn report(
    month: &str,
    late_after_min: u32,
    joined: &Joined,
    summaries: Vec<Summary>,
) -> Result<String, std::fmt::Error> {
    let cancelled = joined.departures.iter().filter(|d| d.delay.is_none()).count();
    let departed = joined.departures.len() - cancelled;
    let mut out = format!("{month}: {departed} flights left New York, {cancelled} were cancelled\n");

    for Summary { by, groups } in summaries {
        writeln!(out, "\nby {by:<31} flights cancelled mean min {:>14}", format!("> {late_after_min} min late"))?;
        for group in groups.iter().take(ROWS) {
            let name = format!("{} {}", group.key, group.name);
            let bar = "█".repeat((group.late_share() * 50.0).round() as usize);
            let mean = group.mean_delay().map_or("-".into(), |mean| format!("{mean:+.1}"));
            let late = group.late_share() * 100.0;
            let Group { flights, cancelled, .. } = group;
            writeln!(out, "{name:<34.34} {flights:>7} {cancelled:>9} {mean:>8} {late:>13.1}% {bar}")?;
        }
        if groups.len() > ROWS {
            writeln!(out, "and {} more in the warehouse", groups.len() - ROWS)?;
        }
    }

    let Joined { flight_rows, bad_flights, .. } = joined;
    let other = flight_rows - bad_flights - joined.departures.len();
    writeln!(out, "\nflight rows read: {flight_rows}, of other months: {other}, bad: {bad_flights}")?;
    let unmatched = &joined.unmatched;
    writeln!(
        out,
        "without airline: {}, airport: {}, weather: {}",
        unmatched.airline, unmatched.airport, unmatched.weather
    )?;
    writeln!(out, "bad rows in all files: {}", joined.bad.len())?;
    for row in joined.bad.iter().take(ROWS) {
        writeln!(out, "  {row}")?;
    }
    if joined.bad.len() > ROWS {
        writeln!(out, "  and {} more in the warehouse", joined.bad.len() - ROWS)?;
    }
    Ok(out)
}
