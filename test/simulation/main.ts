// `npm run simulate`: many histories on all cores. A failure names its seed, from which it can be run again step by step.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, type MessagePort, parentPort, Worker, workerData } from "node:worker_threads";
import { present } from "../../src/support/assert.ts";
import { type HistoryResult, runHistory } from "./history.ts";

const HISTORIES_DEFAULT = 500;
/** More failures than these only make the list longer. */
const FAILURES_MAX = 5;
const PROGRESS_EVERY = 500;

interface Share {
  readonly from: number;
  readonly to: number;
  /** From one seed to the next of the same worker. */
  readonly stride: number;
}

if (isMainThread) await main();
else await work(workerData as Share, present(parentPort, "the main thread"));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      from: { type: "string", default: "1" },
      histories: { type: "string", default: String(HISTORIES_DEFAULT) },
      workers: { type: "string", default: String(availableParallelism()) },
      verbose: { type: "boolean", default: false },
    },
  });
  if (values.seed !== undefined) return oneHistory(Number(values.seed), values.verbose);
  const [from, histories, workers] = [values.from, values.histories, values.workers].map(Number) as [
    number,
    number,
    number,
  ];
  const totals = { histories: 0, steps: 0, failures: [] as HistoryResult[] };
  const shares = Array.from({ length: workers }, (_, index) => ({
    from: from + index,
    to: from + histories,
    stride: workers,
  }));
  await Promise.all(shares.map(async (share) => inWorker(share, (result) => count(totals, result))));
  console.log(`${totals.histories} histories, ${totals.steps} steps, ${totals.failures.length} failures`);
  process.exitCode = totals.failures.length > 0 ? 1 : 0;
}

async function oneHistory(seed: number, verbose: boolean): Promise<void> {
  const result = await runHistory(seed, verbose ? { onStep: (line) => console.log(line) } : {});
  if (result.failure !== undefined) printFailure(result);
  else console.log(`seed ${seed}: every promise held in ${result.steps} steps`);
  process.exitCode = result.failure === undefined ? 0 : 1;
}

function count(
  totals: { histories: number; steps: number; readonly failures: HistoryResult[] },
  result: HistoryResult,
): boolean {
  totals.histories += 1;
  totals.steps += result.steps;
  if (totals.histories % PROGRESS_EVERY === 0) console.log(`${totals.histories} histories`);
  if (result.failure === undefined) return true;
  totals.failures.push(result);
  printFailure(result);
  return totals.failures.length < FAILURES_MAX;
}

function printFailure({ seed, failure }: HistoryResult): void {
  console.log(`seed ${seed}, step ${failure?.step}: BROKEN: ${failure?.check}`);
  console.log(`  ${failure?.message}`);
  console.log(`  run it again: npm run simulate -- --seed ${seed} --verbose`);
}

/** Runs a share in a thread of its own; `onResult` says whether to go on. */
async function inWorker(share: Share, onResult: (result: HistoryResult) => boolean): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: share });
  let seed = share.from;
  await new Promise<void>((resolve, reject) => {
    worker.on("message", (result: HistoryResult) => {
      seed = result.seed + share.stride;
      if (!onResult(result)) void worker.terminate();
    });
    worker.on("error", (cause) => reject(new Error(`The simulation of seed ${seed} broke off.`, { cause })));
    worker.on("exit", () => resolve());
  });
}

async function work({ from, to, stride }: Share, main: MessagePort): Promise<void> {
  for (let seed = from; seed < to; seed += stride) main.postMessage(await runHistory(seed), []);
}
