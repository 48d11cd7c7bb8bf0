//! What is said of files that are missing or broken. Nothing of them gets into the tables.

use std::path::Path;

use super::common::{DATA, Data, FLIGHTS, Warehouse, fails};

/// The load fails and says all of this.
#[track_caller]
fn fails_with(warehouse: &Warehouse, data: &Path, said: &[&str]) {
    let error = fails(&mut warehouse.loading(data, &[]));
    for said in said {
        assert!(error.contains(said), "it does not say `{said}`: {error}");
    }
}

#[test]
fn a_missing_directory_is_named_with_the_flag_that_says_another() {
    let warehouse = Warehouse::new();
    fails_with(&warehouse, Path::new("/no/such/place"), &["/no/such/place: No such file", "--data DIR says where"]);
}

#[test]
fn a_missing_file_is_named_with_those_that_are_there() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    std::fs::remove_file(data.path().join("airports.csv")).expect("it is there");
    fails_with(&warehouse, data.path(), &["no airports.csv[.gz], there is nothing like it; --data DIR where"]);
}

#[test]
fn a_month_without_a_file_is_named_with_those_that_have_one() {
    let warehouse = Warehouse::new();
    let error = fails(&mut warehouse.loading_month_of("2013-02-01", Path::new(DATA), &[]));
    assert!(
        error.contains("no flights-2013-02.csv[.gz] or flights.csv[.gz], there is flights-2013-01.csv.gz;"),
        "{error}"
    );
    assert!(error.contains("--day DAY says"), "{error}");
}

#[test]
fn a_month_of_which_the_file_has_no_flights_is_not_published() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    warehouse.load(data.path());
    let before = warehouse.files();
    data.change(FLIGHTS, |lines| lines.iter_mut().for_each(|line| *line = line.replace("2013,1,", "2013,2,")));
    fails_with(&warehouse, data.path(), &["no flights of 2013-01 among the 1000 of the file"]);
    assert!(warehouse.files() == before);
}

#[test]
fn a_missing_column_is_named_with_the_file_and_the_columns_that_it_has() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    data.change(FLIGHTS, |lines| lines[0] = lines[0].replace("arr_delay", "delay"));
    fails_with(
        &warehouse,
        data.path(),
        &["flights-2013-01.csv: the first line has no column arr_delay; its columns are year, "],
    );
}

#[test]
fn a_cell_of_another_type_is_named_with_the_table_and_the_file() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    data.change(FLIGHTS, |lines| lines[500] = lines[500].replace("2013,1,1,", "2013,1,first,"));
    fails_with(&warehouse, data.path(), &["raw_flights (sql/raw_flights.sql), from ", "flights.csv: ", "'first'"]);
    assert!(warehouse.files().is_empty());
}

#[test]
fn a_row_that_is_too_short_is_named_with_its_line() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    data.change(FLIGHTS, |lines| lines[500].truncate(20));
    fails_with(&warehouse, data.path(), &["raw_flights", "flights.csv: ", "line 501"]);
}

#[test]
fn a_flight_that_is_there_twice_is_found_by_the_audit_and_nothing_is_published() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    warehouse.load(data.path());
    let before = warehouse.files();
    data.change(FLIGHTS, |lines| lines.push(lines[1].clone()));
    let said = ["the tables of 2013-01 do not agree and are not published", "fact_flights, keys", "1000", "1001"];
    fails_with(&warehouse, data.path(), &said);
    assert!(warehouse.files() == before);
}

#[test]
fn a_file_that_ends_in_the_middle_is_named() {
    let (warehouse, data) = (Warehouse::new(), Data::first(1000));
    let whole = std::fs::read(Path::new(DATA).join("flights-2013-01.csv.gz")).expect("the data is there");
    std::fs::remove_file(data.path().join(FLIGHTS)).expect("it is there");
    std::fs::write(data.path().join("flights-2013-01.csv.gz"), &whole[..whole.len() / 2]).expect("it can be written");
    fails_with(&warehouse, data.path(), &["flights-2013-01.csv.gz: "]);
}

#[test]
fn an_engine_that_is_none_is_refused_with_those_that_are() {
    let error = fails(&mut Warehouse::new().loading(Path::new(DATA), &["--engine", "duck"]));
    assert!(error.contains("--engine") && error.contains("embedded") && error.contains("spark"), "{error}");
}

#[test]
fn a_warehouse_whose_name_is_a_pattern_is_refused() {
    let words = ["run", "--day", "2013-01-15", "--data", DATA, "--warehouse", "tables[1]"];
    let error = fails(&mut Warehouse::new().program(&words));
    assert!(
        error.contains("tables[1]: an engine takes the `[` for a pattern; --warehouse DIR says another"),
        "{error}"
    );
}
