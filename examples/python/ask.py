#!/usr/bin/env python3
"""Answers a question about events that to_parquet.py landed, with a query of docs/events/metrics.

    ask.py --folder lake docs/events/metrics/service_level.sql
"""
import argparse
import pathlib

import duckdb

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--folder", default="lake", help="where the files are kept")
parser.add_argument("query", type=pathlib.Path)
arguments = parser.parse_args()
# What is landed twice counts once: an event is named by its source, subject and sequence.
duckdb.execute(
    f"""CREATE VIEW events AS SELECT type, about, id, sequence, time, data FROM '{arguments.folder}/events-*.parquet'
    QUALIFY row_number() OVER (PARTITION BY tenant, source, about, id, sequence ORDER BY event_id) = 1"""
)
print(duckdb.sql(arguments.query.read_text()))
