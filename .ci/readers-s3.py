"""Compares every table of a lake on S3, its newest version and an older one, as other readers see it with what Atrium sees."""

import json
import math
import os
import subprocess
import sys

import polars
import pyarrow.compute
from deltalake import DeltaTable

TABLES = {
    "bronze/readings": ["value", "offset", "ts_unix"],
    "bronze/rejected": ["offset"],
    "silver/readings": ["value_raw", "value_clean", "ts_unix", "offset"],
    "gold/sensor_hourly": ["nb_readings", "nb_valid", "value_avg", "coverage"],
    "gold/sensor_daily": ["nb_readings", "nb_valid", "value_avg"],
    "gold/room_daily": ["temp_avg", "co2_max", "comfort_score", "occupancy_rate", "revision"],
}
lake = sys.argv[1]
endpoint = os.environ["S3_ENDPOINT"]
options = {
    "aws_endpoint": endpoint,
    "aws_region": os.environ["AWS_REGION"],
    "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
    "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
    "aws_allow_http": "true",
}


def atrium(*arguments):
    out = subprocess.run(["./bin/atrium", *arguments, "--lake", lake, "--json"], check=True, capture_output=True)
    return json.loads(out.stdout)


def by_atrium(table, version, columns):
    sums = "".join(f', coalesce(sum(cast("{name}" as double)), 0) as "{name}"' for name in columns)
    sql = f"select count(*) as rows{sums} from {table.replace('/', '_')}"
    return atrium("sql", "--as-of", str(version), sql)[0]


def by_delta_rs(table, version, columns):
    data = DeltaTable(f"{lake}/{table}", version=version, storage_options=options).to_pyarrow_table(columns=columns)
    return {"rows": data.num_rows, **{name: pyarrow.compute.sum(data[name].cast("float64")).as_py() or 0 for name in columns}}


def by_pandas(table, version, columns):
    data = DeltaTable(f"{lake}/{table}", version=version, storage_options=options).to_pandas(columns=columns)
    return {"rows": len(data), **{name: float(data[name].sum()) for name in columns}}


def by_polars(table, version, columns):
    frame = polars.scan_delta(f"{lake}/{table}", version=version, storage_options=options)
    sums = [polars.col(name).cast(polars.Float64).sum() for name in columns]
    return frame.select(polars.len().alias("rows"), *sums).collect().to_dicts()[0]


READERS = {"delta-rs": by_delta_rs, "pandas": by_pandas, "Polars": by_polars}
failures = 0
for table, columns in TABLES.items():
    newest = DeltaTable(f"{lake}/{table}", storage_options=options).version()
    for version in {newest, max(1, newest // 2)}:
        wanted = by_atrium(table, version, columns)
        for reader, read in READERS.items():
            found = read(table, version, columns)
            differing = [name for name in wanted if not math.isclose(found[name] or 0, wanted[name], rel_tol=1e-9, abs_tol=1e-6)]
            failures += len(differing) > 0
            print(f"{'ok  ' if not differing else 'FAIL'} {reader:8} {table} version {version}: {wanted['rows']} rows {differing or ''}")
sys.exit(1 if failures else 0)
