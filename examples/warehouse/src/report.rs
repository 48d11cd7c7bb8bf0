//! The report of a day: a table with bars.

use std::fmt::Write;

use datafusion::common::cast::{as_float64_array, as_int64_array, as_string_view_array};
use taskflow::Result;
use taskflow::arrow::Frame;
use taskflow::arrow::array::{Array, Float64Array, Int64Array, RecordBatch, StringViewArray};
use taskflow::time::Date;

/// The columns of `daily_delays` in the report.
struct Rows<'a> {
    carrier: &'a StringViewArray,
    airline: &'a StringViewArray,
    flights: &'a Int64Array,
    cancelled: &'a Int64Array,
    arrived: &'a Int64Array,
    late: &'a Int64Array,
    delay_min: &'a Int64Array,
    wind_mph: &'a Float64Array,
}

impl<'a> Rows<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self> {
        let column = |name| batch.column_by_name(name).ok_or_else(|| format!("daily_delays has no column {name}"));
        Ok(Rows {
            carrier: as_string_view_array(column("carrier")?)?,
            airline: as_string_view_array(column("airline")?)?,
            flights: as_int64_array(column("flights")?)?,
            cancelled: as_int64_array(column("cancelled")?)?,
            arrived: as_int64_array(column("arrived")?)?,
            late: as_int64_array(column("late")?)?,
            delay_min: as_int64_array(column("arr_delay_min")?)?,
            wind_mph: as_float64_array(column("worst_wind_mph")?)?,
        })
    }
}

pub fn report(day: Date, delays: &Frame, unmatched: &Frame) -> Result<String> {
    if delays.num_rows() == 0 {
        return Ok(format!("{day}: no flights were to leave New York\n"));
    }
    let delays = delays.concat()?;
    let rows = Rows::of(&delays)?;
    let (flights, cancelled) = (sum(rows.flights), sum(rows.cancelled));
    let mut out = format!("{day}: {flights} flights were to leave New York, {cancelled} were cancelled\n\n");
    writeln!(out, "{:<31} flights cancelled mean min worst wind > 15 min late", "airline")?;
    for row in 0..delays.num_rows() {
        let name = if rows.airline.is_null(row) { "(not in dim_airline)" } else { rows.airline.value(row) };
        let name = format!("{} {name}", rows.carrier.value(row));
        let (flights, cancelled) = (rows.flights.value(row), rows.cancelled.value(row));
        let arrived = rows.arrived.value(row);
        let per_flight = |count: i64| count as f64 / arrived.max(1) as f64;
        let mean = if arrived > 0 { format!("{:+.1}", per_flight(rows.delay_min.value(row))) } else { "-".to_owned() };
        let wind =
            if rows.wind_mph.is_null(row) { "-".to_owned() } else { format!("{:.0} mph", rows.wind_mph.value(row)) };
        let late = per_flight(rows.late.value(row));
        let bar = "█".repeat((late * 25.0).round() as usize);
        let late = 100.0 * late;
        writeln!(out, "{name:<31.31} {flights:>7} {cancelled:>9} {mean:>8} {wind:>10} {late:>12.1}% {bar}")?;
    }
    out.push_str(&missing_airports(unmatched)?);
    Ok(out)
}

/// A sentence about the airports that are missing from `dim_airport`.
fn missing_airports(unmatched: &Frame) -> Result<String> {
    if unmatched.num_rows() == 0 {
        return Ok("\nall airports of the month are in dim_airport\n".to_owned());
    }
    let unmatched = unmatched.concat()?;
    let (airports, flights) = (as_string_view_array(unmatched.column(0))?, as_int64_array(unmatched.column(1))?);
    let each: Vec<_> =
        airports.iter().flatten().zip(flights.values()).map(|(name, count)| format!("{name} {count}")).collect();
    Ok(format!(
        "\nflights of the month to airports that are not in dim_airport: {} ({})\n",
        sum(flights),
        each.join(", ")
    ))
}

fn sum(counts: &Int64Array) -> i64 {
    counts.iter().flatten().sum()
}
