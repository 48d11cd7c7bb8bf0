//! Both engines produce the same cells, on a real cluster.

use std::path::Path;
use std::process::Command;

use super::cells::Cells;
use super::common::{DATA, Data, FLIGHTS, TABLES, Warehouse, fails, succeeds};
use super::spark::cluster::Cluster;
use super::spark::installed::java;

/// A load on the cluster, whose workers must share the directory of the warehouse.
fn on_cluster(cluster: &Cluster, warehouse: &Warehouse, data: &Path) -> Command {
    let mut program = warehouse.loading(data, &["--engine", "spark", "--master", &cluster.master]);
    program.env("SPARK_HOME", &cluster.spark.home).env("PYSPARK_PYTHON", &cluster.spark.python);
    program.env("SPARK_LOCAL_IP", "127.0.0.1").env("JAVA_TOOL_OPTIONS", java(cluster.folder()));
    program
}

#[test]
fn spark_and_the_embedded_engine_give_the_same_cells_in_the_same_columns() {
    let cluster = Cluster::shared();
    let (embedded, spark) = (Warehouse::new(), Warehouse::within(cluster.folder()));
    let report = embedded.load(Path::new(DATA));

    // Each engine replaces tables that the other has written.
    let old = Data::first(1000);
    spark.load(old.path());
    assert_eq!(succeeds(&mut on_cluster(&cluster, &spark, Path::new(DATA))), report);
    for table in TABLES {
        let (one, other) = (Cells::of(&embedded.table(table)), Cells::of(&spark.table(table)));
        assert_eq!(one.columns, other.columns, "the columns of {table}");
        assert_eq!(one.rows.len(), other.rows.len(), "the rows of {table}");
        for (one, other) in one.rows.iter().zip(&other.rows) {
            assert_eq!(one, other, "a row of {table}");
        }
    }
    spark.load(Path::new(DATA));
    assert!(spark.table("fact_flights").join("part-0.parquet").exists());
    assert_eq!(spark.files().len(), TABLES.len(), "files of Spark are left over");
}

#[test]
fn an_invalid_number_fails_the_load_on_spark_too() {
    let cluster = Cluster::shared();
    let (warehouse, data) = (Warehouse::within(cluster.folder()), Data::first(1000));
    data.change(FLIGHTS, |lines| lines[500] = lines[500].replace("2013,1,1,", "2013,1,first,"));
    let error = fails(&mut on_cluster(&cluster, &warehouse, data.path()));
    for part in ["load_on_spark", "raw_flights (sql/raw_flights.sql): ", "'first'"] {
        assert!(error.contains(part), "`{part}` is missing: {error}");
    }
    assert!(warehouse.files().is_empty());
}
