"""Compares every table of a lake, its newest version and an older one, as other readers see it with the same as Atrium sees it."""

import json
import math
import os
import pathlib
import subprocess
import sys

import duckdb
import duckdb_extension_delta
import polars
import pyarrow.compute
from deltalake import DeltaTable

TABLES = {
    "bronze/readings": ["value", "offset", "ts_unix"],
    "bronze/rejected": ["offset"],
    "silver/readings": ["value_raw", "value_clean", "ts_unix", "offset"],
    "gold/sensor_hourly": ["nb_readings", "nb_valid", "value_avg", "value_std", "coverage"],
    "gold/sensor_daily": ["nb_readings", "nb_valid", "value_avg", "value_std"],
    "gold/room_daily": ["temp_avg", "co2_max", "comfort_score", "occupancy_rate", "revision"],
    "gold/restatements": ["value_before", "value_after", "late_readings", "revision"],
}
lake = sys.argv[1]
extension = next(pathlib.Path(duckdb_extension_delta.__path__[0]).glob("extensions/v*/delta.duckdb_extension"))
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute(f"load '{extension}'")


def atrium(*arguments):
    out = subprocess.run(["./bin/atrium", *arguments, "--lake", lake, "--json"], check=True, capture_output=True)
    return json.loads(out.stdout)


def query(source, columns):
    sums = "".join(f', coalesce(sum(cast("{name}" as double)), 0) as "{name}"' for name in columns)
    return f"select count(*) as rows{sums} from {source}"


def by_delta_rs(table, version, columns):
    data = DeltaTable(f"{lake}/{table}", version=version).to_pyarrow_table(columns=columns)
    return {"rows": data.num_rows, **{name: pyarrow.compute.sum(data[name].cast("float64")).as_py() or 0 for name in columns}}


def by_pandas(table, version, columns):
    data = DeltaTable(f"{lake}/{table}", version=version).to_pandas(columns=columns)
    return {"rows": len(data), **{name: float(data[name].sum()) for name in columns}}


def by_polars(table, version, columns):
    frame = polars.scan_delta(f"{lake}/{table}", version=version)
    sums = [polars.col(name).cast(polars.Float64).sum() for name in columns]
    return frame.select(polars.len().alias("rows"), *sums).collect().to_dicts()[0]


def by_duckdb(table, version, columns):
    rows = connection.execute(query(f"delta_scan('{lake}/{table}', version={version})", columns))
    return dict(zip([column[0] for column in rows.description], rows.fetchone()))


READERS = {"delta-rs": by_delta_rs, "pandas": by_pandas, "Polars": by_polars, "DuckDB": by_duckdb}


def versions_of(table):
    commits = atrium("table", "history", table, "--limit", "100000")
    numbers = [commit["version"] for commit in commits]
    return sorted({numbers[0], numbers[len(numbers) // 2]}, reverse=True) if numbers else []


failed = 0
for table, columns in TABLES.items():
    for version in versions_of(table):
        ours = atrium("sql", query(table.replace("/", "_"), columns), "--as-of", str(version))[0]
        wrong = []
        for reader, read in READERS.items():
            theirs = read(table, version, columns)
            if not all(math.isclose(float(ours[name]), float(theirs[name]), rel_tol=1e-9) for name in ours):
                wrong.append(f"{reader} {theirs}")
        failed += bool(wrong)
        print(f"{'FAIL' if wrong else 'ok  '} {table}, version {version}: {ours['rows']} rows" + "".join(f"; {text}, Atrium {ours}" for text in wrong))
# pyarrow can abort while the interpreter shuts down, after all is done: leave at once.
sys.stdout.flush()
os._exit(1 if failed else 0)
