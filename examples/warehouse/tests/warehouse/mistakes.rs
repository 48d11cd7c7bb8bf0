//! Messages about missing and damaged files. Their content never reaches the tables.

use std::path::Path;

use super::common::{DATA, Data, FLIGHTS, Warehouse, fails};

/// Checks that the load fails with a message that contains all `parts`.
#[track_caller]
fn fails_with(warehouse: &Warehouse, data: &Path, parts: &[&str]) {
    let error = fails(&mut warehouse.loading(data, &[]));
    for part in parts {
        assert!(error.contains(part), "`{part}` is missing: {error}");
    }
}

#[test]
fn a_missing_directory_is_reported_with_the_flag_that_selects_another() {
    let warehouse = Warehouse::new();
    fails_with(
        &warehouse,
        Path::new("/no/such/place"),
        &["/no/such/place: No such file", "--data DIR selects the directory"],
    );
}

#[test]
fn a_missing_file_is_reported_with_the_existing_ones() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    std::fs::remove_file(data.path().join("airports.csv")).expect("the file exists");
    fails_with(&warehouse, data.path(), &["no airports.csv[.gz], found nothing similar; --data DIR another directory"]);
}

#[test]
fn a_month_without_a_file_is_reported_with_those_that_have_one() {
    let warehouse = Warehouse::new();
    let error = fails(&mut warehouse.loading_month_of("2013-02-01", Path::new(DATA), &[]));
    assert!(
        error.contains("no flights-2013-02.csv[.gz] or flights.csv[.gz], found flights-2013-01.csv.gz;"),
        "{error}"
    );
    assert!(error.contains("--day DAY selects"), "{error}");
}

#[test]
fn a_month_without_flights_is_not_published() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    warehouse.load(data.path());
    let before = warehouse.files();
    data.change(FLIGHTS, |lines| lines.iter_mut().for_each(|line| *line = line.replace("2013,1,", "2013,2,")));
    fails_with(&warehouse, data.path(), &["no flights of 2013-01 among the 1000 in the file"]);
    assert!(warehouse.files() == before);
}

#[test]
fn a_missing_column_is_reported_with_the_file_and_its_columns() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    data.change(FLIGHTS, |lines| lines[0] = lines[0].replace("arr_delay", "delay"));
    fails_with(
        &warehouse,
        data.path(),
        &["flights-2013-01.csv: the header has no column arr_delay; its columns are year, "],
    );
}

#[test]
fn an_invalid_cell_is_reported_with_the_table_and_the_file() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    data.change(FLIGHTS, |lines| lines[500] = lines[500].replace("2013,1,1,", "2013,1,first,"));
    fails_with(&warehouse, data.path(), &["raw_flights (sql/raw_flights.sql), from ", "flights.csv: ", "'first'"]);
    assert!(warehouse.files().is_empty());
}

#[test]
fn a_row_that_is_too_short_is_reported_with_its_line() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    data.change(FLIGHTS, |lines| lines[500].truncate(20));
    fails_with(&warehouse, data.path(), &["raw_flights", "flights.csv: ", "line 501"]);
}

#[test]
fn the_audit_detects_a_duplicate_flight_and_nothing_is_published() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    warehouse.load(data.path());
    let before = warehouse.files();
    data.change(FLIGHTS, |lines| lines.push(lines[1].clone()));
    let parts = ["the tables of 2013-01 fail the audit and are not published", "fact_flights, keys", "1000", "1001"];
    fails_with(&warehouse, data.path(), &parts);
    assert!(warehouse.files() == before);
}

#[test]
fn a_truncated_file_is_reported() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    let whole = std::fs::read(Path::new(DATA).join("flights-2013-01.csv.gz")).expect("the data is there");
    std::fs::remove_file(data.path().join(FLIGHTS)).expect("the file exists");
    std::fs::write(data.path().join("flights-2013-01.csv.gz"), &whole[..whole.len() / 2]).expect("it can be written");
    fails_with(&warehouse, data.path(), &["flights-2013-01.csv.gz: "]);
}

#[test]
fn an_unknown_engine_is_rejected_with_the_valid_ones() {
    let error = fails(&mut Warehouse::new().loading(Path::new(DATA), &["--engine", "duck"]));
    assert!(error.contains("--engine") && error.contains("embedded") && error.contains("spark"), "{error}");
}

#[test]
fn a_warehouse_whose_name_is_a_pattern_is_rejected() {
    let args = ["run", "--day", "2013-01-15", "--data", DATA, "--warehouse", "tables[1]"];
    let error = fails(&mut Warehouse::new().program(&args));
    assert!(
        error.contains("tables[1]: the engines treat `[` as a pattern; --warehouse DIR selects another"),
        "{error}"
    );
}
