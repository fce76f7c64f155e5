// A standalone cluster of Apache Spark on 127.0.0.1: a master, two workers of one core and 1 GB, and a Connect server on them.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { JAVA } from "./java.ts";
import { type ProcessId, startOf } from "./process.ts";
import { type Running, startService } from "./running.ts";
import { addressOf, type Place, portOf, type Service } from "./service.ts";
import { jvmOf } from "./spark-conf.ts";
import { addedClassPath, SPARK_PACKAGES, SPARK_VERSION } from "./spark-packages.ts";
import { connectService, type Spark, type SparkOptions, startConnect } from "./spark.ts";
import { placeOf, readState } from "./state.ts";

/** A cluster of a test; its folder holds one for each process. */
export interface SparkCluster extends AsyncDisposable {
  readonly master: Running;
  readonly workers: readonly Running[];
  /** The Connect server, whose tasks run on the workers. */
  readonly driver: Spark;
  /** The executors that run now: the workers start one each, and another for one that has died. */
  executors(): readonly ProcessId[];
}

const MASTER = "spark-master";
const WORKERS = ["spark-worker-1", "spark-worker-2"];
const DRIVER = "spark-driver";
const WORKER_CORES = 1;
const WORKER_MEMORY = "1g";
const HEAP = "256m";
const PROBE_MS_MAX = 5000;

/** The services of the cluster, in the order in which they start. */
export const SPARK_CLUSTER: readonly Service[] = [
  masterService(),
  ...WORKERS.map(workerService),
  driverService({}),
];

/** Starts a cluster of the caller's own, or finds the one that runs in the folder. */
export async function startSparkCluster({ folder, ...options }: SparkOptions): Promise<SparkCluster> {
  const of = (name: string): { readonly folder: string } => ({ ...options, folder: join(folder, name) });
  const master = await startService(masterService(), of(MASTER));
  const workers: Running[] = [];
  for (const name of WORKERS) workers.push(await startService(workerService(name), of(name)));
  const driver = await startConnect(driverService(options), { ...options, ...of(DRIVER) });
  return {
    master,
    workers,
    driver,
    executors: () => workers.flatMap(({ pid }) => childrenOf(pid)),
    [Symbol.asyncDispose]: async () => {
      for (const running of [driver, ...workers, master]) await running.stop();
    },
  };
}

function masterService(): Service {
  return {
    ...daemon(MASTER, "master"),
    portNames: ["master", "web"],
    prepare: async (place) =>
      jvmOf(place, {
        main: "org.apache.spark.deploy.master.Master",
        heap: HEAP,
        // An executor that is killed is started again, more often than by default (10 in a row).
        conf: { "spark.deploy.maxExecutorRetries": "100" },
        args: [...listenOn(place, "master")],
      }),
    probe: async (place) => void (await stateOf(place)),
  };
}

function workerService(name: string): Service {
  return {
    ...daemon(name, name.replace("spark-", "").replace("-", " ")),
    follows: [MASTER],
    portNames: ["worker", "web"],
    prepare: async (place) =>
      jvmOf(place, {
        main: "org.apache.spark.deploy.worker.Worker",
        heap: HEAP,
        // Asked for by what starts executors, as there is no file RELEASE.
        env: { SPARK_SCALA_VERSION: "2.13" },
        args: [
          ...listenOn(place, "worker"),
          "--cores",
          String(WORKER_CORES),
          "--memory",
          WORKER_MEMORY,
          "--work-dir",
          join(place.folder, "work"),
          masterUrl(place),
        ],
      }),
    probe: async (place) => {
      await stateOf(place);
      const { workers } = await stateOf(masterPlace(place));
      const isKnown = workers?.some(
        ({ port, state }) => port === portOf(place, "worker") && state === "ALIVE",
      );
      if (isKnown !== true) throw new Error("the master does not know the worker yet");
    },
  };
}

function driverService({ conf = {}, s3 }: Pick<SparkOptions, "conf" | "s3">): Service {
  return connectService({
    name: DRIVER,
    title: `Apache Spark ${SPARK_VERSION} (Connect on a cluster)`,
    follows: [...WORKERS, "s3"],
    master: (place) => ({
      "spark.master": masterUrl(place),
      "spark.executor.cores": String(WORKER_CORES),
      "spark.executor.memory": WORKER_MEMORY,
      "spark.executor.extraClassPath": addedClassPath(),
    }),
    conf,
    ...(s3 === undefined ? {} : { s3 }),
  });
}

function daemon(
  name: string,
  title: string,
): Pick<Service, "name" | "title" | "packages" | "needs" | "furnish" | "settings"> {
  return {
    name,
    title: `Apache Spark ${SPARK_VERSION} (${title})`,
    packages: SPARK_PACKAGES,
    needs: [JAVA],
    furnish: async () => undefined,
    settings: () => ({}),
  };
}

function listenOn(place: Place, port: string): readonly string[] {
  return [
    "--host",
    "127.0.0.1",
    "--port",
    String(portOf(place, port)),
    "--webui-port",
    String(portOf(place, "web")),
  ];
}

function masterUrl(place: Place): string {
  return `spark://${addressOf(masterPlace(place), "master")}`;
}

/** The master is in the folder beside. @throws Error if none was started there */
function masterPlace(place: Place): Place {
  const folder = join(place.folder, "..", MASTER);
  const state = readState(folder);
  if (state === undefined) throw new Error(`no master was started in ${folder}: start all of spark-cluster`);
  return placeOf(folder, state);
}

/** What a master or a worker says of itself. */
async function stateOf(
  place: Place,
): Promise<{ readonly workers?: readonly { readonly port: number; readonly state: string }[] }> {
  const url = `http://${addressOf(place, "web")}/json/`;
  const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS_MAX) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return (await response.json()) as Awaited<ReturnType<typeof stateOf>>;
}

function childrenOf(parent: number): readonly ProcessId[] {
  return execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid = 0, ppid]) => {
      const started = ppid === parent ? startOf(pid) : undefined;
      return started === undefined ? [] : [{ pid, started }];
    });
}
