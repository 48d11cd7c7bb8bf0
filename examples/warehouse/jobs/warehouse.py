"""Loads the tables of a month on Spark, with the queries in ../sql: warehouse.py LOAD

LOAD is JSON: the CSV files by name, the names of the tables in load order, the year, the month, and the
output directory. The result is the number of rows of each table.
"""

import json
import os
import sys
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

SQL = Path(__file__).resolve().parent.parent / "sql"


def read_csv(spark, name, path):
    """Reads all columns as text, because the queries cast them. A row of the wrong length fails the query.

    A quote within quotes is doubled: Spark expects a backslash unless it is told.
    """
    spark.read.csv(path, header=True, mode="FAILFAST", escape='"').createOrReplaceTempView(name)


def load(spark, table, directory):
    """Writes the rows of a table's query, replacing those of an earlier attempt. Later queries can read the table."""
    path = f"{directory}/{table}"
    try:
        spark.sql((SQL / f"{table}.sql").read_text()).write.mode("overwrite").parquet(path)
    except PySparkException as error:
        raise RuntimeError(f"{table} (sql/{table}.sql): {cause(error)}") from None
    rows = spark.read.parquet(path)
    rows.createOrReplaceTempView(table)
    return rows.count()


def cause(error):
    """The last cause of an error. Spark's messages contain long stack traces, which are in the log, too."""
    lines = str(error).splitlines()
    causes = [line for line in lines if line.startswith("Caused by:")]
    return causes[-1] if causes else lines[0]


def return_result(value):
    path = os.environ["TASKFLOW_RESULT"]
    with open(path + ".part", "w") as file:
        json.dump(value, file)
    os.replace(path + ".part", path)


def main():
    job = json.loads(sys.argv[1])
    spark = SparkSession.builder.appName("warehouse").getOrCreate()
    spark.sql("select {year} as year, {month} as month".format(**job)).createOrReplaceTempView("this_month")
    for name, path in job["files"].items():
        read_csv(spark, name, path)
    return_result({table: load(spark, table, job["directory"]) for table in job["tables"]})
    spark.stop()


main()
