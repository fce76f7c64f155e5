"""Atrium's day: gold of the day that has ended, then a check of the lake and the care of its tables.

    gold (day) --0--> verify --0--> upkeep
               --99-> skipped, and so is the rest: there was nothing to do

Each step is one call of `atrium`, which may be killed, repeated and run beside any other: the tables' own commits keep
a day from being made twice. What varies from place to place comes from the environment of Airflow; ../README.md lists it.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Asset, BaseOperator, CronDataIntervalTimetable, Param

# Exit code of `atrium` for "there was nothing to do".
NOTHING_TO_DO = 99
# First UTC day of KETI, the readings that Atrium was made with; a building of later days need not change it.
FIRST_DAY = datetime(2013, 8, 23, tzinfo=timezone.utc)
GOLD_TABLES = ("sensor_hourly", "sensor_daily", "room_daily", "restatements")

# Values from a run reach the program through its environment alone: no shell reads them.
RUN_ENV = {
    "GOLD_DATE": "{{ data_interval_start | ds }}",
    "LAKE_URL": "{{ params.lake }}",
    "ENGINE": "{{ params.engine }}",
}


def setting(name: str, default: str | None = None, allowed: tuple[str, ...] = ()) -> str:
    """A variable of the environment; without one, the DAG shows as an import error that says what to do."""
    value = os.environ.get(name, "") or default
    if value is None:
        raise ValueError(f"{name} is not set: set it in the environment of Airflow (see airflow/README.md)")
    if allowed and value not in allowed:
        raise ValueError(f"{name}={value} is not allowed: allowed is one of {', '.join(allowed)}")
    return value


LAKE = setting("LAKE_URL")
OPERATOR = setting("ATRIUM_OPERATOR", "bash", ("bash", "kubernetes"))


def atrium(*arguments: str, **options: object) -> BaseOperator:
    """A task that runs `atrium ARGUMENTS`; an argument $NAME stands for that variable. Arguments are constants of this file."""
    if OPERATOR == "kubernetes":
        # Only where it is asked for: the provider need not be installed otherwise.
        from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
        from kubernetes.client import V1EnvFromSource, V1SecretEnvSource

        return KubernetesPodOperator(
            name=f"atrium-{arguments[0]}",
            image=setting("ATRIUM_IMAGE"),
            # Kubernetes itself puts variables in: $(NAME) is no shell's.
            arguments=[f"$({word[1:]})" if word.startswith("$") else word for word in arguments],
            env_vars=RUN_ENV,
            # The other settings, such as the keys of S3.
            env_from=[V1EnvFromSource(secret_ref=V1SecretEnvSource(name="atrium", optional=True))],
            skip_on_exit_code=NOTHING_TO_DO,
            on_finish_action="delete_pod",
            **options,
        )
    from airflow.providers.standard.operators.bash import BashOperator

    words = [f'"{word}"' if word.startswith("$") else word for word in arguments]
    return BashOperator(
        # The program takes the shell's place, so that signals and exit codes are its own.
        bash_command=f'exec "${{ATRIUM_COMMAND:-atrium}}" {" ".join(words)}',
        env=RUN_ENV,
        append_env=True,
        skip_on_exit_code=NOTHING_TO_DO,
        **options,
    )


with DAG(
    dag_id="atrium_daily",
    description="Gold of the UTC day that has ended, then verify and upkeep.",
    doc_md=__doc__,
    tags=["atrium"],
    # Not "@daily", which would start a day's run before the day: this one runs at its end.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=FIRST_DAY,
    # Days of the past are made by a backfill, when somebody asks for it.
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=6),
    default_args={
        "owner": "atrium",
        "retries": 3,
        # The first wait is Airflow's own [core] default_task_retry_delay, 5 minutes by default; then it doubles.
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(hours=1),
    },
    params={
        "lake": Param(
            LAKE, type="string", minLength=1, maxLength=4096, description="Folder of the lake, or s3://bucket/prefix."
        ),
        "engine": Param(
            setting("ENGINE", "duckdb", ("duckdb", "spark")),
            type="string",
            enum=["duckdb", "spark"],
            description="What runs the transforms.",
        ),
    },
) as dag:
    gold = atrium(
        "gold",
        "--date",
        "$GOLD_DATE",
        task_id="gold",
        doc_md="Makes the KPIs of the day. Skipped if silver has no readings of it, or gold says the same already.",
        outlets=[Asset(name=f"gold/{table}", uri=f"atrium://gold/{table}") for table in GOLD_TABLES],
    )
    verify = atrium(
        "verify",
        task_id="verify",
        doc_md="Makes silver and gold again and compares every cell; fails if one differs.",
        execution_timeout=timedelta(hours=2),
    )
    upkeep = atrium(
        "upkeep",
        task_id="upkeep",
        doc_md="Merges small files, removes what nobody needs any more. Skipped if there is nothing to do.",
    )
    gold >> verify >> upkeep
