// Prometheus for tests: Debian's own package, unpacked into the cache, on 127.0.0.1; scrapes Atrium and evaluates its alert rules.

import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folderOf, type Package } from "./install.ts";
import { type Ended, mustRun, type Program, runProgram } from "./program.ts";
import { type Running, startService, type StartOptions } from "./running.ts";
import { addressOf, type Place, type Service } from "./service.ts";

/** What it scrapes and how often. */
export interface PrometheusConfig {
  /** `127.0.0.1:PORT` of each process that answers /metrics. */
  readonly targets: readonly string[];
  /** Absolute paths of files of rules. */
  readonly ruleFiles: readonly string[];
  /** Between two scrapes, and two evaluations of the rules, s. */
  readonly everySeconds: number;
}

/** How to start one for a test. */
export interface PrometheusOptions extends StartOptions, PrometheusConfig {}

/** A Prometheus of a test. */
export interface Prometheus extends Running {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
}

const INSTALL_SECONDS_MAX = 300;
const PROBE_MS_MAX = 5000;
/** The job of all targets. */
const JOB = "atrium";

const APT: Program = {
  title: "apt-get",
  command: "apt-get",
  versionArgs: ["--version"],
  versionMin: [2, 0],
  advice: "The package comes from Debian: run this on Debian or Ubuntu.",
};

const PACKAGE: Package = {
  name: "prometheus-debian",
  needs: [APT],
  fill: async (folder) => {
    const options = { secondsMax: INSTALL_SECONDS_MAX, cwd: folder };
    const found = await runProgram("apt-get", ["download", "prometheus"], options);
    if (found.code !== 0) {
      // A fresh machine has no list of packages.
      await mustRun("apt-get", ["update"], options);
      await mustRun("apt-get", ["download", "prometheus"], options);
    }
    const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
    if (archive === undefined) throw new Error(`apt-get download left no package in ${folder}`);
    await mustRun("dpkg-deb", ["--extract", archive, "unpacked"], options);
    for (const name of ["prometheus", "promtool"]) {
      renameSync(join(folder, "unpacked/usr/bin", name), join(folder, name));
    }
    rmSync(join(folder, "unpacked"), { recursive: true });
    rmSync(join(folder, archive));
  },
};

/** One that scrapes an Atrium on its usual port, with Atrium's own rules. */
export const prometheus: Service = prometheusService({
  targets: ["127.0.0.1:8000"],
  ruleFiles: [join(import.meta.dirname, "../docs/operate/alerts.yml")],
  everySeconds: 5,
});

/** Starts a Prometheus of the caller's own, or finds the one that runs in the folder. */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const running = await startService(prometheusService(options), options);
  return Object.assign(running, { url: `http://${addressOf(running.place, "http")}` });
}

/** Runs promtool to its end; the package must be installed. */
export async function promtool(args: readonly string[], input?: string): Promise<Ended> {
  const options = { secondsMax: INSTALL_SECONDS_MAX, ...(input === undefined ? {} : { input }) };
  return runProgram(join(folderOf(PACKAGE), "promtool"), args, options);
}

function prometheusService(config: PrometheusConfig): Service {
  return {
    name: "prometheus",
    title: "Prometheus (Debian's package)",
    packages: [PACKAGE],
    needs: [],
    portNames: ["http"],
    prepare: async (place) => {
      const file = join(place.folder, "prometheus.json");
      mkdirSync(place.folder, { recursive: true, mode: 0o700 });
      // JSON is YAML.
      writeFileSync(file, JSON.stringify(configOf(config)), { mode: 0o600 });
      const args = [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(place.folder, "data")}`,
        `--web.listen-address=${addressOf(place, "http")}`,
      ];
      return { program: join(folderOf(PACKAGE), "prometheus"), args };
    },
    probe,
    furnish: async () => undefined,
    settings: (place) => ({ PROMETHEUS_URL: `http://${addressOf(place, "http")}` }),
  };
}

function configOf({ targets, ruleFiles, everySeconds }: PrometheusConfig): object {
  const interval = `${everySeconds}s`;
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: ruleFiles,
    scrape_configs: [{ job_name: JOB, static_configs: [{ targets }] }],
  };
}

async function probe(place: Place): Promise<void> {
  const url = `http://${addressOf(place, "http")}/-/ready`;
  const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS_MAX) });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
}
