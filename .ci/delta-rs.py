"""Compares every table of a lake as delta-rs reads it with the same as Atrium reads it."""

import json
import math
import os
import subprocess
import sys

import pyarrow.compute as pc
from deltalake import DeltaTable

TABLES = {
    "bronze/readings": ["value", "offset", "ts_unix"],
    "bronze/rejected": ["offset"],
    "silver/readings": ["value_raw", "value_clean", "ts_unix", "offset"],
    "gold/sensor_hourly": ["nb_readings", "nb_valid", "value_avg", "value_std", "coverage"],
    "gold/sensor_daily": ["nb_readings", "nb_valid", "value_avg", "value_std"],
    "gold/room_daily": ["temp_avg", "co2_max", "comfort_score", "occupancy_rate", "revision"],
}


def by_atrium(lake, table, columns):
    sums = ", ".join(f'coalesce(sum(cast("{name}" as double)), 0) as "{name}"' for name in columns)
    query = f"select count(*) as rows, {sums} from {table.replace('/', '_')}"
    out = subprocess.run(["./bin/atrium", "sql", "--lake", lake, "--json", query], check=True, capture_output=True)
    return json.loads(out.stdout)[0]


def by_delta_rs(lake, table, columns):
    data = DeltaTable(f"{lake}/{table}").to_pyarrow_table(columns=columns)
    sums = {name: pc.sum(pc.cast(data[name], "float64")).as_py() or 0 for name in columns}
    return {"rows": data.num_rows, **sums}


failed = 0
for table, columns in TABLES.items():
    ours, theirs = by_atrium(sys.argv[1], table, columns), by_delta_rs(sys.argv[1], table, columns)
    same = all(math.isclose(float(ours[name]), float(theirs[name]), rel_tol=1e-9) for name in theirs)
    failed += not same
    print(f"{'ok  ' if same else 'FAIL'} {table}: {theirs['rows']} rows" + ("" if same else f", ours {ours}, delta-rs {theirs}"))
# pyarrow can abort while the interpreter shuts down, after all is done: leave at once.
sys.stdout.flush()
os._exit(1 if failed else 0)
