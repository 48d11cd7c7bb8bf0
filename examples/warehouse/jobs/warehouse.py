"""Makes the tables of a month on Spark, with the queries in ../sql: warehouse.py LOAD

LOAD is JSON: the CSV files by their names, the names of the tables in order, the year, the month, and the directory to write to.
The result is the number of rows of each table.
"""

import json
import os
import sys
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

SQL = Path(__file__).resolve().parent.parent / "sql"


def read_csv(spark, name, path):
    """All columns are texts, as the queries say what they are. A row of another length fails what reads it."""
    spark.read.csv(path, header=True, mode="FAILFAST").createOrReplaceTempView(name)


def load(spark, table, directory):
    """Makes a table of the rows of its query, in the place of what an attempt before has left, and lets later queries read it."""
    path = f"{directory}/{table}"
    try:
        spark.sql((SQL / f"{table}.sql").read_text()).write.mode("overwrite").parquet(path)
    except PySparkException as error:
        raise RuntimeError(f"{table} (sql/{table}.sql): {in_short(error)}") from None
    rows = spark.read.parquet(path)
    rows.createOrReplaceTempView(table)
    return rows.count()


def in_short(error):
    """Spark's errors bring along the stacks of all that was involved, which the log has too. What happened is the last cause."""
    lines = str(error).splitlines()
    causes = [line for line in lines if line.startswith("Caused by:")]
    return causes[-1] if causes else lines[0]


def give(value):
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
    give({table: load(spark, table, job["directory"]) for table in job["tables"]})
    spark.stop()


main()
