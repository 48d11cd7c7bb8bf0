"""Counts the flights of each carrier that arrived, and those that were late: carriers.py FLIGHTS LATE_AFTER_MINUTES"""

import json
import os
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f


def return_result(value):
    path = os.environ["TASKFLOW_RESULT"]
    with open(path + ".part", "w") as file:
        json.dump(value, file)
    os.replace(path + ".part", path)


flights, late_after = sys.argv[1], int(sys.argv[2])
spark = SparkSession.builder.appName("carriers").getOrCreate()
rows = spark.read.csv(flights, header=True, nullValue="NA")
delay = f.col("arr_delay").cast("int")
carriers = (
    rows.where(delay.isNotNull())
    .groupBy("carrier")
    .agg(f.count("*").alias("flights"), f.count(f.when(delay > late_after, 1)).alias("late"))
    .orderBy("carrier")
)
return_result([row.asDict() for row in carriers.collect()])
spark.stop()
