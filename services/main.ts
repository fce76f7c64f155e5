// `npm run services -- ACTION`: installs, starts, lists and stops the services that tests and a trial at home need.

import { existsSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { SERVICE_NAMES, SERVICES, servicesNamed } from "./registry.ts";
import { installService, startService, stopIn } from "./running.ts";
import { addressOf, logOf, type Service } from "./service.ts";
import { liveProcess, placeOf, readState, type State } from "./state.ts";

const NAMES = SERVICE_NAMES.join(" ");
const USAGE = `Usage: npm run services -- ACTION [NAME...] [--folder DIR]

  install NAME...  put what they need into the cache
  up NAME...       start them on free ports of 127.0.0.1, wait until they answer, make topics and buckets
  down [NAME...]   stop them, all that run without a name; with --wipe remove their data too
  status           what runs, and where
  env              the settings that lead to what runs, as NAME=value lines

Names: ${NAMES}. Data, logs and state: .services in the checkout, or DIR.
Downloads: ATRIUM_CACHE, by default ~/.cache/atrium.
`;

const say = (what: string): void => void process.stderr.write(`services: ${what}\n`);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      folder: { type: "string", default: join(import.meta.dirname, "../.services") },
      wipe: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [action, ...names] = positionals;
  if (values.help) process.stdout.write(USAGE);
  else await act(action, names, { folder: resolve(values.folder), wipe: values.wipe });
} catch (error) {
  for (const line of linesOf(error)) say(line);
  process.exitCode = 1;
}

interface Options {
  readonly folder: string;
  readonly wipe: boolean;
}

async function act(action: string | undefined, names: readonly string[], options: Options): Promise<void> {
  switch (action) {
    case "install":
      return ofAll(wanted(names), async (service) => installService(service, say));
    case "up":
      for (const services of inTurn(wanted(names))) {
        await ofAll(services, async (service) => up(service, join(options.folder, service.name)));
      }
      return;
    case "down":
      return ofAll(names.length === 0 ? SERVICES : servicesNamed(names), async (service) =>
        down(service, join(options.folder, service.name), options.wipe),
      );
    case "status":
      for (const service of SERVICES) await status(service, join(options.folder, service.name));
      return;
    case "env":
      env(options.folder);
      return;
    default:
      throw new Error(action === undefined ? USAGE : `no action named ${action}\n${USAGE}`);
  }
}

function wanted(names: readonly string[]): readonly Service[] {
  if (names.length === 0) throw new Error(`name the services you want: ${NAMES}`);
  return servicesNamed(names);
}

/** The services in turns: each after those that it follows. */
function inTurn(services: readonly Service[]): readonly (readonly Service[])[] {
  const waits = (service: Service): boolean =>
    services.some(({ name }) => service.follows?.includes(name) === true);
  const now = services.filter((service) => !waits(service));
  return now.length === services.length ? [services] : [now, ...inTurn(services.filter(waits))];
}

/** Side by side; one that fails does not keep the others from ending their work. */
async function ofAll(services: readonly Service[], work: (service: Service) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(services.map(work));
  const failures = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : [],
  );
  if (failures.length > 0) throw new AggregateError(failures);
}

async function up(service: Service, folder: string): Promise<void> {
  const started = performance.now();
  const running = await startService(service, { folder, outlives: true, say });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const how = running.isNew ? `answers after ${seconds} s` : "was already running";
  say(`${service.title} ${how}: ${addressOf(running.place, service.portNames[0])}, process ${running.pid}`);
}

async function down(service: Service, folder: string, wipe: boolean): Promise<void> {
  const wasRunning = await stopIn(folder);
  if (wipe) rmSync(folder, { recursive: true, force: true });
  if (wasRunning) say(`${service.title} stopped`);
  if (wipe) say(`${service.title}: data removed`);
}

async function status(service: Service, folder: string): Promise<void> {
  const running = runningIn(folder);
  if (running === undefined) {
    print(`${service.name}\tstopped\t${existsSync(folder) ? folder : "-"}`);
    return;
  }
  const { state, pid } = running;
  const place = placeOf(folder, state);
  const answer = await service.probe(place).then(
    () => "answers",
    () => "does not answer",
  );
  print(
    [service.name, answer, addressOf(place, service.portNames[0]), `process ${pid}`, logOf(folder)].join(
      "\t",
    ),
  );
}

function env(folder: string): void {
  const lines = SERVICES.flatMap((service) => {
    const running = runningIn(join(folder, service.name));
    if (running === undefined) return [];
    return Object.entries(service.settings(placeOf(join(folder, service.name), running.state)));
  });
  if (lines.length === 0) throw new Error(`nothing runs; start it with: npm run services -- up ${NAMES}`);
  for (const [name, value] of lines) print(`${name}=${value}`);
}

function runningIn(folder: string): { readonly state: State; readonly pid: number } | undefined {
  const state = readState(folder);
  const alive = liveProcess(state);
  return state === undefined || alive === undefined ? undefined : { state, pid: alive.pid };
}

function linesOf(error: unknown): readonly string[] {
  if (error instanceof AggregateError) return error.errors.flatMap(linesOf);
  return (error instanceof Error ? error.message : String(error)).split("\n");
}
