// Finds free ports of 127.0.0.1, outside of the range that the system gives to outgoing connections.

import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Clients that try again and again to reach a broker that is down may otherwise be given its very port for their own
 * end: on Linux they then talk to themselves, and the broker cannot come back. Linux takes 32768 and above, others 49152.
 */
const PORT_MIN = 20_000;
const PORT_BELOW = 32_000;
const TRIES_MAX = 100;

/**
 * A free port for each name, all different: the wanted one where it is free. Nobody holds them: who starts a server must
 * be ready to try again. @throws Error if none is found.
 */
export async function freePorts(
  names: readonly string[],
  wanted: Readonly<Record<string, number>> = {},
): Promise<Readonly<Record<string, number>>> {
  const ports: Record<string, number> = {};
  for (const name of names) {
    const taken = Object.values(ports);
    const first = wanted[name];
    ports[name] = first !== undefined && (await isFree(first)) ? first : await freePort(taken);
  }
  return ports;
}

async function freePort(taken: readonly number[]): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const port = randomInt(PORT_MIN, PORT_BELOW);
    if (!taken.includes(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port from ${PORT_MIN} to ${PORT_BELOW} in ${TRIES_MAX} tries`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
