//! `examples/delays` against figures that SQLite computes from the same files, and against damaged
//! files.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, query, query_as, query_scalar, raw_sql};
use taskflow::Result;
use tempfile::TempDir;

#[path = "../../examples/delays/main.rs"]
mod example;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data");

/// month, dimension, key, name, flights, cancelled, late, mean delay
type Row = (String, String, String, String, i64, i64, i64, Option<f64>);

#[tokio::test]
async fn the_warehouse_matches_sql_over_the_raw_rows() -> Result<()> {
    const RAIN: &str = "case when rain is null then 'unknown' when rain = 0 then 'dry'
        when rain < 0.1 then 'under 0.1 inch' else '0.1 inch or more' end";
    const WIND: &str = "case when wind is null then 'unknown' when wind < 10 then 'under 10 mph'
        when wind < 20 then '10 to 20 mph' when wind < 30 then '20 to 30 mph' else 'over 30 mph' end";
    let dimensions = [
        ("carrier", "carrier", "(select name from airlines a where a.carrier = d.carrier)"),
        ("destination", "dest", "(select name from airports where faa = dest)"),
        ("origin", "origin", "(select name from airports where faa = origin)"),
        ("rain", RAIN, "''"),
        ("wind", WIND, "''"),
    ];
    let dir = TempDir::new()?;
    let mut raw = raw_tables(Path::new(DATA)).await?;
    raw_sql(
        "create view departures as
         select carrier, f.origin as origin, dest, dep_time = 'NA' as cancelled, nullif(dep_delay, 'NA') + 0 as delay,
                nullif(precip, 'NA') + 0 as rain, nullif(wind_speed, 'NA') + 0 as wind
         from flights f left join weather w on w.origin = f.origin and w.time_hour = f.time_hour",
    )
    .execute(&mut raw)
    .await?;

    for late in [15, 120] {
        let mut expected = Vec::new();
        for (dimension, key, name) in dimensions {
            let sql = format!(
                "select '2013-01', '{dimension}', {key} as key, coalesce({name}, ''), count(*), sum(cancelled),
                        count(*) filter (where delay > {late}), avg(delay)
                 from departures d group by key order by key"
            );
            expected.extend(query_as::<_, Row>(AssertSqlSafe(sql)).fetch_all(&mut raw).await?);
        }
        let warehouse = dir.path().join(format!("{late}.db"));
        run(Path::new(DATA), "2013-01", late, &warehouse).await?;
        let found = delays(&warehouse).await?;
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "more than {late} minutes late");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_report_matches_sql() -> Result<()> {
    let mut raw = raw_tables(Path::new(DATA)).await?;
    let (rows, cancelled, airline, airport, weather): (i64, i64, i64, i64, i64) = query_as(
        "select count(*), sum(dep_time = 'NA'), sum(f.carrier not in (select carrier from airlines)),
                sum(f.origin not in (select faa from airports) or dest not in (select faa from airports)),
                sum(not exists (select 1 from weather w where w.origin = f.origin and w.time_hour = f.time_hour))
         from flights f",
    )
    .fetch_one(&mut raw)
    .await?;
    assert_eq!((rows, cancelled, airline, airport, weather), (27_004, 521, 0, 680, 52));

    let dir = TempDir::new()?;
    let report = run(Path::new(DATA), "2013-01", 15, &dir.path().join("warehouse.db")).await?;
    for line in [
        format!("2013-01: {} flights left New York, {cancelled} were cancelled", rows - cancelled),
        format!("flight rows read: {rows}, of other months: 0, bad: 0"),
        format!("without airline: {airline}, airport: {airport}, weather: {weather}"),
        "bad rows in all files: 0".into(),
    ] {
        assert!(report.lines().any(|l| l == line), "{line}\nis not in\n{report}");
    }
    Ok(())
}

/// E16: the example reads files as its readers would, with a crate: damaged rows, stray quotes,
/// lines as on Windows and bytes that are no UTF-8.
#[tokio::test]
async fn invalid_rows_are_reported_by_line_and_nothing_is_lost() -> Result<()> {
    // The line (1 is the header), its outcome, and the message about it.
    type Damage = (usize, fn(&str) -> String, &'static str);
    let damage: [Damage; 9] = [
        (2, |row| with_column(row, 2, "32"), "year, month, day: no such date"),
        (9, |row| with_column(row, 1, ""), "month: missing"),
        (10, |row| with_column(row, 2, "1st"), "day: invalid digit"),
        (101, |row| format!("{row},"), "20 columns instead of 19"),
        (102, |row| row[..row.len() / 2].to_owned(), "columns instead of 19"),
        (1_000, |row| with_column(row, 5, "soon"), "dep_delay: invalid digit"),
        (1_001, |row| with_column(row, 5, "NA"), "dep_delay: NA, but the flight departed"),
        (20_000, |row| with_column(row, 3, "2401"), "dep_time: 2401 is not a time of day"),
        (27_006, |row| with_column(row, 18, "2013-01-32T10:00:00Z"), "time_hour: "),
    ];
    let dir = copy_of_the_data()?;
    let mut rows: Vec<String> = flights()?.lines().map(str::to_owned).collect();
    // An empty line is no row, but a line.
    rows.insert(99, String::new());
    rows.insert(499, " \r".to_owned());
    for (line, change, _) in damage {
        rows[line - 1] = change(&rows[line - 1]);
    }
    // A stray quote is part of its column, a line may end as on Windows, one of another encoding
    // spoils only itself, and the last one may lack its newline.
    rows[2] = with_column(&rows[2], 9, "\"UA");
    rows[3].push('\r');
    let mut rows = (rows.join("\n") + "\n").into_bytes();
    rows.extend(b"2013,1,31,517,515,2,830,819,11,UA,1545,N14228,EWR,\xff\xff\xff,227,1400,5,15,2013-01-31T10:00:00Z");
    fs::write(dir.path().join("flights-2013-01.csv"), rows)?;
    let weather = fs::read_to_string(dir.path().join("weather.csv"))?;
    fs::write(dir.path().join("weather.csv"), weather.replacen(",10.357019999999999,", ",1048.36058,", 1))?;

    let warehouse = dir.path().join("warehouse.db");
    let report = run(dir.path(), "2013-01", 15, &warehouse).await?;

    let mut expected: Vec<(&str, usize, &str)> =
        damage.iter().map(|(line, _, reason)| ("flights-2013-01.csv", *line, *reason)).collect();
    expected.push(("flights-2013-01.csv", 27_008, "dest: invalid UTF-8 from byte 0"));
    expected.push(("weather.csv", 2, "wind_speed: 1048.36058 mph is out of range"));
    let mut db = open(&warehouse).await?;
    let found: Vec<(String, i64, String)> =
        query_as("select file, line, reason from bad_rows order by file, line").fetch_all(&mut db).await?;
    assert_eq!(found.len(), expected.len());
    for ((file, line, reason), expected) in found.iter().zip(expected) {
        assert_eq!((file.as_str(), *line as usize), (expected.0, expected.1));
        assert!(reason.contains(expected.2), "{file}:{line}: {reason}");
        assert!(report.contains(&format!("\n  {file}:{line}: {reason}\n")), "{report}");
    }
    assert!(report.contains("flight rows read: 27005, of other months: 0, bad: 10\n"), "{report}");
    assert!(report.contains("bad rows in all files: 11\n"), "{report}");
    assert!(report.contains("without airline: 1, "), "{report}");
    let sums: Vec<i64> = query_scalar("select sum(flights) from delays group by dimension").fetch_all(&mut db).await?;
    assert_eq!(sums, [27_005 - 10; 5]);
    Ok(())
}

#[tokio::test]
async fn a_second_run_writes_the_same_table_and_deletes_stale_rows() -> Result<()> {
    let dir = copy_of_the_data()?;
    let rows: Vec<String> = flights()?.lines().take(5_000).map(str::to_owned).collect();
    fs::write(dir.path().join("flights-2013-01.csv"), rows.join("\n"))?;
    let warehouse = dir.path().join("warehouse.db");
    run(dir.path(), "2013-01", 15, &warehouse).await?;
    let first = delays(&warehouse).await?;
    run(dir.path(), "2013-01", 15, &warehouse).await?;
    assert_eq!(delays(&warehouse).await?, first);

    // The file is delivered again without one carrier: its row must go.
    let without: Vec<&str> = rows.iter().map(String::as_str).filter(|row| !row.contains(",HA,")).collect();
    fs::write(dir.path().join("flights-2013-01.csv"), without.join("\n"))?;
    run(dir.path(), "2013-01", 15, &warehouse).await?;
    let third = delays(&warehouse).await?;
    let has_hawaiian = |rows: &[Row]| rows.iter().any(|row| row.2 == "HA");
    assert_eq!((has_hawaiian(&first), has_hawaiian(&third)), (true, false));
    Ok(())
}

#[tokio::test]
async fn a_month_and_the_year_are_read_from_the_file_of_the_year() -> Result<()> {
    // A year of two months: February gets every third row of January.
    let dir = copy_of_the_data()?;
    fs::remove_file(dir.path().join("flights-2013-01.csv.gz"))?;
    let january = flights()?;
    let february: Vec<String> = january
        .lines()
        .skip(1)
        .step_by(3)
        .map(|row| row.replacen("2013,1,", "2013,2,", 1))
        .filter(|row| !["2013,2,29,", "2013,2,30,", "2013,2,31,"].iter().any(|day| row.starts_with(day)))
        .collect();
    fs::write(dir.path().join("flights.csv"), january + &february.join("\n"))?;

    let warehouse = dir.path().join("warehouse.db");
    let all = 27_004 + february.len();
    for (month, other) in [("2013-02", 27_004), ("2013-01", february.len()), ("2013", 0)] {
        let report = run(dir.path(), month, 15, &warehouse).await?;
        let counts = format!("flight rows read: {all}, of other months: {other}, bad: 0\n");
        assert!(report.contains(&counts), "{report}");
    }

    // The three stand side by side.
    let flights: Vec<(String, i64)> =
        query_as("select month, sum(flights) from delays where dimension = 'origin' group by month order by month")
            .fetch_all(&mut open(&warehouse).await?)
            .await?;
    let of = |month: &str, flights: usize| (month.to_owned(), flights as i64);
    assert_eq!(flights, [of("2013", all), of("2013-01", 27_004), of("2013-02", february.len())]);
    Ok(())
}

#[tokio::test]
async fn parameters_are_checked_before_anything_runs() -> Result<()> {
    let dir = TempDir::new()?;
    let warehouse = dir.path().join("warehouse.db");
    for (month, late_after_min, param, value) in
        [("January", 15, "month", "January"), ("2013-01", 601, "late_after_min", "601")]
    {
        let error = run(Path::new(DATA), month, late_after_min, &warehouse).await.expect_err("not allowed").to_string();
        assert!(error.contains(param) && error.contains(value), "{error}");
    }
    assert!(!warehouse.exists());
    Ok(())
}

#[tokio::test]
async fn missing_inputs_are_reported() -> Result<()> {
    let dir = copy_of_the_data()?;
    let warehouse = dir.path().join("warehouse.db");
    let error =
        async |month| run(dir.path(), month, 15, &warehouse).await.expect_err("there is no such data").to_string();

    let no_file = error("2013-05").await;
    assert!(no_file.contains("no flights-2013-05.csv[.gz] or flights.csv[.gz]"), "{no_file}");

    fs::write(dir.path().join("flights.csv"), flights()?)?;
    let no_row = error("2013-05").await;
    assert!(no_row.contains("no flights of 2013-05 among 27004 rows, none of them invalid"), "{no_row}");

    // A file that was cut off is an error, not a short month.
    let january = dir.path().join("flights-2013-01.csv.gz");
    let whole = fs::read(&january)?;
    fs::write(&january, &whole[..whole.len() / 2])?;
    let cut_off = error("2013-01").await;
    assert!(cut_off.contains("flights-2013-01.csv.gz:"), "{cut_off}");
    assert!(!warehouse.exists(), "nothing was loaded");
    Ok(())
}

async fn run(data: &Path, month: &str, late_after_min: u32, warehouse: &Path) -> Result<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let run = example::delays::run(text(data), month.to_owned(), late_after_min, text(warehouse)).await?;
    Ok(run.into_result()?.as_str().to_owned())
}

async fn open(warehouse: &Path) -> Result<SqliteConnection> {
    Ok(SqliteConnectOptions::new().filename(warehouse).read_only(true).connect().await?)
}

async fn delays(warehouse: &Path) -> Result<Vec<Row>> {
    let rows = query_as("select * from delays order by month, dimension, key");
    Ok(rows.fetch_all(&mut open(warehouse).await?).await?)
}

/// The files as tables of text, split at the commas (nothing in them is quoted): all else is left
/// to SQL.
async fn raw_tables(dir: &Path) -> Result<SqliteConnection> {
    let mut db = SqliteConnection::connect("sqlite::memory:").await?;
    let file = |name: &str| fs::read_to_string(dir.join(name));
    for (table, text) in [
        ("flights", flights()?),
        ("weather", file("weather.csv")?),
        ("airlines", file("airlines.csv")?),
        ("airports", file("airports.csv")?),
    ] {
        let (header, rows) = text.split_once('\n').ok_or("an empty file")?;
        let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split(',').collect()).collect();
        let columns: Vec<String> = (0..header.split(',').count()).map(|i| format!("value ->> {i}")).collect();
        let insert = format!("insert into {table} select {} from json_each(?)", columns.join(", "));
        query(AssertSqlSafe(format!("create table {table} ({header})"))).execute(&mut db).await?;
        query(AssertSqlSafe(insert)).bind(serde_json::to_string(&rows)?).execute(&mut db).await?;
    }
    query("create index hours on weather (origin, time_hour)").execute(&mut db).await?;
    Ok(db)
}

fn flights() -> Result<String> {
    let mut text = String::new();
    GzDecoder::new(fs::File::open(Path::new(DATA).join("flights-2013-01.csv.gz"))?).read_to_string(&mut text)?;
    Ok(text)
}

fn copy_of_the_data() -> Result<TempDir> {
    let dir = TempDir::new()?;
    for file in ["flights-2013-01.csv.gz", "weather.csv", "airlines.csv", "airports.csv"] {
        fs::copy(Path::new(DATA).join(file), dir.path().join(file))?;
    }
    Ok(dir)
}

fn with_column(row: &str, column: usize, value: &str) -> String {
    let mut columns: Vec<&str> = row.split(',').collect();
    columns[column] = value;
    columns.join(",")
}
