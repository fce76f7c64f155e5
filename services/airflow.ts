// Apache Airflow for tests and trials: api-server, dag-processor and scheduler on 127.0.0.1, with the DAG of this checkout.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { folderOf, type Package } from "./install.ts";
import { mustRun, type Program } from "./program.ts";
import { type Running, startService, type StartOptions } from "./running.ts";
import { addressOf, type Command, type Place, portOf, type Service } from "./service.ts";

/** How to start Airflow for a test. */
export interface AirflowOptions extends Omit<StartOptions, "ports"> {
  /** Added to the environment of its processes, such as LAKE_URL. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Airflow of a test. */
export interface Airflow extends Running {
  /** Calls its REST API, as `GET`, `/dags`, and returns the answer's JSON. @throws Error for any status but 2xx */
  call(method: string, path: string, body?: unknown): Promise<unknown>;
}

const VERSION = "3.3.2";
/** Installs a hundred packages in seconds; pip takes a minute. */
const UV_VERSION = "0.13.9";
const CHECKOUT = resolve(import.meta.dirname, "..");
const DAGS = join(CHECKOUT, "airflow/dags");
const DAG_ID = "atrium_daily";
const LOCK = join(CHECKOUT, "airflow/requirements.lock");
const INSTALL_SECONDS_MAX = 600;
const CALL_MS_MAX = 20_000;
const LISTED_MS_MAX = 120_000;
const LOOK_AGAIN_MS = 500;
const USER = "admin";

const PYTHON: Program = {
  title: "Python",
  command: "python3",
  versionArgs: ["--version"],
  versionMin: [3, 10],
  advice: "Install it (Debian: apt-get install python3-venv; macOS: brew install python).",
};

const PACKAGE: Package = {
  name: `airflow-${VERSION}`,
  needs: [PYTHON],
  fill: async (folder) => {
    const options = { secondsMax: INSTALL_SECONDS_MAX };
    await mustRun("python3", ["-m", "venv", folder], options);
    const python = join(folder, "bin/python");
    const quiet = ["--quiet", "--disable-pip-version-check"];
    await mustRun(python, ["-m", "pip", "install", ...quiet, `uv==${UV_VERSION}`], options);
    await mustRun(python, ["-m", "uv", "pip", "install", "--quiet", "--python", python, "-r", LOCK], options);
  },
};

/** All three processes, behind one that ends them with it. */
export const airflow: Service = airflowService({});

/** Starts Airflow for the caller alone, or finds what runs in the folder. */
export async function startAirflow(options: AirflowOptions): Promise<Airflow> {
  const running = await startService(airflowService(options.env ?? {}), options);
  const call: Airflow["call"] = async (method, path, body) =>
    callApi(running.place, { method, path: `/api/v2${path}`, ...(body === undefined ? {} : { body }) });
  return Object.assign(running, { call });
}

/** Python of the installed Airflow; `-m airflow` is its command. It must have been installed. */
export function airflowPython(): string {
  return join(folderOf(PACKAGE), "bin/python");
}

/** What Airflow's own programs need in their environment to belong to the Airflow of a place. */
export function airflowEnv(place: Place): Readonly<Record<string, string>> {
  const url = `http://${addressOf(place, "api")}`;
  return {
    AIRFLOW_HOME: place.folder,
    AIRFLOW__CORE__DAGS_FOLDER: DAGS,
    AIRFLOW__CORE__LOAD_EXAMPLES: "False",
    AIRFLOW__CORE__PARALLELISM: "4",
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL: `${url}/execution/`,
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS: `${USER}:admin`,
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE: passwordsOf(place),
    AIRFLOW__API__BASE_URL: url,
    AIRFLOW__API__SECRET_KEY: place.secret,
    AIRFLOW__API_AUTH__JWT_SECRET: place.secret.repeat(2),
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: `sqlite:///${join(place.folder, "airflow.db")}`,
    AIRFLOW__LOGGING__BASE_LOG_FOLDER: join(place.folder, "logs"),
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED: "False",
    ATRIUM_COMMAND: process.env["ATRIUM_COMMAND"] ?? join(CHECKOUT, "bin/atrium"),
    LAKE_URL: lakeUrl(),
  };
}

function airflowService(env: Readonly<Record<string, string>>): Service {
  return {
    name: "airflow",
    title: `Apache Airflow ${VERSION}`,
    packages: [PACKAGE],
    needs: [PYTHON],
    portNames: ["api"],
    readySecondsMax: 300,
    prepare: async (place) => commandOf(place, env),
    probe,
    furnish: untilListed,
    settings: (place) => ({
      AIRFLOW_URL: `http://${addressOf(place, "api")}`,
      AIRFLOW_USER: USER,
      AIRFLOW_PASSWORD: place.secret,
    }),
  };
}

function commandOf(place: Place, env: Readonly<Record<string, string>>): Command {
  mkdirSync(place.folder, { recursive: true, mode: 0o700 });
  writeFileSync(passwordsOf(place), JSON.stringify({ [USER]: place.secret }), { mode: 0o600 });
  const supervisor = join(import.meta.dirname, "airflow-processes.ts");
  return {
    program: process.execPath,
    args: [supervisor, airflowPython(), String(portOf(place, "api"))],
    env: { ...airflowEnv(place), ...env },
  };
}

/** The lake of the caller's settings, absolute: Airflow's processes start elsewhere. */
function lakeUrl(): string {
  const url = process.env["LAKE_URL"] ?? "";
  return url.startsWith("s3://") ? url : resolve(CHECKOUT, url === "" ? "lake" : url);
}

function passwordsOf({ folder }: Place): string {
  return join(folder, "passwords.json");
}

async function probe(place: Place): Promise<void> {
  const health = await callApi(place, { method: "GET", path: "/api/v2/monitor/health" });
  for (const part of ["metadatabase", "scheduler", "dag_processor"]) {
    const { status } = (health as Readonly<Record<string, { readonly status?: string }>>)[part] ?? {};
    if (status !== "healthy") throw new Error(`Airflow's ${part} is ${status ?? "not there"}`);
  }
}

/** Waits until the DAG is there, or its import error. */
async function untilListed(place: Place): Promise<void> {
  const giveUpMs = performance.now() + LISTED_MS_MAX;
  for (;;) {
    const errors = await callApi(place, { method: "GET", path: "/api/v2/importErrors" });
    const [error] = (errors as { readonly import_errors: readonly { readonly stack_trace: string }[] })
      .import_errors;
    if (error !== undefined) throw new Error(`the DAG cannot be read: ${error.stack_trace}`);
    const dags = await callApi(place, { method: "GET", path: "/api/v2/dags" });
    const { dags: listed } = dags as { readonly dags: readonly { readonly dag_id: string }[] };
    if (listed.some(({ dag_id: id }) => id === DAG_ID)) return;
    if (performance.now() > giveUpMs) throw new Error(`Airflow does not list ${DAG_ID}`);
    await delay(LOOK_AGAIN_MS);
  }
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

async function callApi(place: Place, { method, path, body }: Call): Promise<unknown> {
  const token = await tokenFor(place);
  return requestJson(place, {
    path,
    init: {
      method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
  });
}

/** A token for each call: a place may have been started anew since the last. */
async function tokenFor(place: Place): Promise<string> {
  const body = JSON.stringify({ username: USER, password: place.secret });
  const init = { method: "POST", headers: { "Content-Type": "application/json" }, body };
  const answer = await requestJson(place, { path: "/auth/token", init });
  return (answer as { readonly access_token: string }).access_token;
}

async function requestJson(
  place: Place,
  { path, init }: { readonly path: string; readonly init: RequestInit },
): Promise<unknown> {
  if (!existsSync(place.folder)) throw new Error(`${place.folder} is not there`);
  const url = `http://${addressOf(place, "api")}${path}`;
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(CALL_MS_MAX) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${init.method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text) as unknown;
}
