// A real Prometheus scrapes real processes of Atrium and evaluates the alert rules: ingestion is stopped while replay goes on,
// the alerts fire, ingestion is started again, and they resolve.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { freePorts } from "../../services/ports.ts";
import { type Prometheus, prometheus, promtool, startPrometheus } from "../../services/prometheus.ts";
import { installService } from "../../services/running.ts";
import { generateRaw, QUIET } from "../support/lake-folder.ts";
import { mustReach } from "../support/moments.ts";
import { type Running, start, temporaryFolder } from "../support/program.ts";
import { withoutServices } from "../support/services.ts";

const RULES = join(import.meta.dirname, "../../docs/operate/alerts.yml");
const CASES = join(import.meta.dirname, "alerts-cases.yml");
/** About ten minutes of looking, 250 ms apart. */
const LOOKS_MAX = 2400;
/** A minute of the rules takes so long in this test, s. */
const SECONDS_A_MINUTE = 2;
/** What must fire when nobody ingests. */
const WATCHED = ["AtriumNoCommits", "AtriumLagGrows"];

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  /** Of alerts. */
  readonly state?: "inactive" | "pending" | "firing";
  readonly alerts?: readonly { readonly labels: Readonly<Record<string, string>> }[];
}

describe("Prometheus", { skip: await withoutServices("prometheus") }, () => {
  before(async () => installService(prometheus, () => undefined));

  test("the alert rules are valid, and fire and stay silent in the cases", async () => {
    const checked = await promtool(["check", "rules", RULES]);
    assert.equal(checked.code, 0, checked.stdout + checked.stderr);
    const tested = await promtool(["test", "rules", CASES]);
    assert.equal(tested.code, 0, tested.stdout + tested.stderr);
  });

  test("the cases find a rule that is wrong", async () => {
    await using folder = await temporaryFolder();
    const rules = await readFile(RULES, "utf8");
    const cases = await readFile(CASES, "utf8");
    await writeFile(
      join(folder.path, "cases.yml"),
      cases.replace("../../docs/operate/alerts.yml", "alerts.yml"),
    );
    const faults = [
      ["> 0.01", "> 0.5"],
      ["> 900", "> 9000"],
      ["< 1073741824", "< 1"],
      ["[10m] offset 15m", "[10m]"],
      ["unless on (job)", "and on (job)"],
      ["> 3", "> 30"],
    ] as const;
    for (const [right, wrong] of faults) {
      assert.ok(rules.includes(right), right);
      await writeFile(join(folder.path, "alerts.yml"), rules.replace(right, wrong));
      const tested = await promtool(["test", "rules", join(folder.path, "cases.yml")]);
      // Half the small disk is free: only the first part of the rule sees it.
      assert.equal(tested.code, 1, `${wrong}: ${tested.stdout}${tested.stderr}`);
    }
  });

  test("ingestion is stopped while replay goes on: the alerts fire, and resolve once it is back", async () => {
    await using folder = await temporaryFolder();
    const [raw, lake] = ["raw", "lake"].map((name) => join(folder.path, name));
    await generateRaw(raw!, ["--rooms", "2", "--days", "7", "--seed", "9"]);
    const ports = await freePorts(["replay", "up"]);
    const ruleFile = join(folder.path, "alerts.yml");
    await writeFile(ruleFile, inSeconds(await readFile(RULES, "utf8")));
    await using server = await startPrometheus({
      folder: join(folder.path, "prometheus"),
      targets: [`127.0.0.1:${ports["replay"]}`, `127.0.0.1:${ports["up"]}`],
      ruleFiles: [ruleFile],
      everySeconds: 1,
    });
    // 300 messages a second: the raw files last for more than half an hour.
    const pace = ["--replay-mode", "rate", "--rate-msg-per-sec", "300"];
    const replayPort = ["--metrics-port", String(ports["replay"])];
    const replay = start(["replay", "--raw", raw!, "--lake", lake!, ...pace, ...replayPort], { env: QUIET });
    const startUp = (): Running =>
      start(["up", "--lake", lake!, "--api-port", String(ports["up"]), "--batch-seconds", "0.5"], {
        env: QUIET,
      });
    const running = [replay];
    try {
      await mustReach(replay, () => replay.output().includes("Metrics on"));
      const first = startUp();
      running.push(first);
      await mustReach(first, () => first.output().includes("Listening on"));
      await until(server, "commits are scraped, and no alert", async () => {
        const commits = await valuesOf(server, "atrium:bronze_commits:rate");
        return commits.some((value) => value > 0) && (await statesAre(server, "inactive"));
      });
      await assertIsValid(`http://127.0.0.1:${ports["up"]}/metrics`);

      first.child.kill("SIGTERM");
      assert.equal((await first.ended).code, 0);
      await until(server, "the alerts fire", async () => statesAre(server, "firing"));
      for (const { name, alerts = [] } of (await rulesOf(server)).filter(isWatched)) {
        const instances = alerts.map(({ labels }) => labels["instance"]);
        assert.deepEqual(instances, [`127.0.0.1:${ports["replay"]}`], name);
      }
      assert.equal(replay.child.exitCode, null, "replay goes on");

      const second = startUp();
      running.push(second);
      await until(server, "the alerts are resolved", async () => statesAre(server, "inactive"));
      for (const { name, health, lastError } of await rulesOf(server)) {
        assert.equal(health, "ok", `${name}: ${lastError ?? ""}`);
      }
    } finally {
      for (const { child } of running) child.kill("SIGTERM");
      await Promise.all(running.map(async ({ ended }) => ended));
    }
  });
});

/** The rules with every duration in seconds, so that what takes minutes can be seen. */
function inSeconds(rules: string): string {
  return rules.replaceAll(
    /\b(\d+)m\b/g,
    (_whole, minutes: string) => `${Number(minutes) * SECONDS_A_MINUTE}s`,
  );
}

/** promtool reads a scrape and finds no fault with it. */
async function assertIsValid(url: string): Promise<void> {
  const text = await (await fetch(url)).text();
  const { code, stdout, stderr } = await promtool(["check", "metrics"], text);
  assert.deepEqual([code, stdout + stderr], [0, ""]);
}

const isWatched = ({ name }: Rule): boolean => WATCHED.includes(name);

async function statesAre(server: Prometheus, state: Rule["state"]): Promise<boolean> {
  const watched = (await rulesOf(server)).filter(isWatched);
  // Before the first evaluation nothing is known.
  return (
    watched.length === WATCHED.length && watched.every((rule) => rule.health === "ok" && rule.state === state)
  );
}

async function rulesOf(server: Prometheus): Promise<readonly Rule[]> {
  const { groups } = (await dataOf(`${server.url}/api/v1/rules`)) as {
    groups: readonly { rules: readonly Rule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

async function valuesOf(server: Prometheus, query: string): Promise<readonly number[]> {
  const { result } = (await dataOf(`${server.url}/api/v1/query?query=${encodeURIComponent(query)}`)) as {
    result: readonly { value: readonly [number, string] }[];
  };
  return result.map(({ value: [, value] }) => Number(value));
}

async function dataOf(url: string): Promise<unknown> {
  const answer = (await (await fetch(url)).json()) as { status: string; data: unknown };
  assert.equal(answer.status, "success", url);
  return answer.data;
}

async function until(server: Prometheus, what: string, look: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    if (await look()) return;
    await pause(250);
  }
  assert.fail(`never: ${what}. ${JSON.stringify(await rulesOf(server))}`);
}
