// The engine on Spark keeps the contract of the port: it writes, the engine of this process answers people.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { freePorts } from "../../services/ports.ts";
import { duckdbEngine } from "../../src/adapters/duckdb/engine.ts";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import { openSpark } from "../../src/adapters/spark/connect/session.ts";
import { sparkEngine } from "../../src/adapters/spark/engine.ts";
import { sparkSessions } from "../../src/adapters/spark/sessions.ts";
import { dividedEngine } from "../../src/lakehouse/divided-engine.ts";
import type { Engine } from "../../src/lakehouse/engine.ts";
import { localEngine } from "../../src/lakehouse/local-inputs.ts";
import { systemClock } from "../../src/support/clock.ts";
import { engineContract } from "../contract/engine.ts";
import { temporaryFolder } from "../support/program.ts";
import { withoutServices } from "../support/services.ts";
import { ownSpark } from "../support/spark.ts";

const skip = await withoutServices("spark");

describe("the engine on Spark", { skip }, () => {
  const spark = ownSpark();

  test("a session that the server has lost is opened anew, and the work is done again", async () => {
    const { remote } = spark();
    const ids: string[] = [];
    await using sessions = sparkSessions(async () => {
      const session = await openSpark({ remote });
      ids.push(session.id);
      return session;
    });
    const ask = async (): Promise<unknown> =>
      sessions.use(async (session) => (await session.query("select 1")).rows);
    await ask();
    await using other = await openSpark({ remote, sessionId: ids[0]! });
    await other.close();
    assert.deepEqual(await ask(), [[1]]);
    assert.equal(ids.length, 2);
  });

  test("a server that is not there is unreachable, and asked again by the next call", async () => {
    const { free } = await freePorts(["free"]);
    await using sessions = sparkSessions(async () =>
      openSpark({ remote: `sc://127.0.0.1:${free}`, reconnectMsMax: 0 }),
    );
    for (let call = 0; call < 2; call += 1) {
      await assert.rejects(
        sessions.use(async (session) => session.query("select 1")),
        { code: "ENGINE_UNREACHABLE" },
      );
    }
  });

  test("transforms side by side write each their own rows", async () => {
    await using folder = await temporaryFolder();
    await using engine = sparkHere(folder.path, spark().remote);
    const write = async (value: number): Promise<readonly unknown[]> => {
      const column = { name: "value", type: "integer" } as const;
      const input = {
        kind: "rows",
        name: "source",
        rowCount: 1,
        columns: [{ ...column, values: Int32Array.of(value) }],
      } as const;
      const shared = {
        sql: "select value from source",
        inputs: [input],
        columns: [column],
        partitionColumns: [],
        into: "t",
      };
      await using written = await engine.write(shared);
      return written.files.map((file) => file.columns["value"]?.min);
    };
    const values = [1, 2, 3, 4, 5, 6];
    assert.deepEqual(
      await Promise.all(values.map(write)),
      values.map((value) => [String(value)]),
    );
  });

  engineContract("spark", (folder) => sparkHere(folder, spark().remote), { writesInPlace: true });
});

/** All transforms on Spark, those of rows in memory too. */
function sparkHere(folder: string, remote: string): Engine {
  const store = localObjectStore(folder);
  const sessions = sparkSessions(async () => openSpark({ remote }));
  const here = duckdbEngine({
    memoryMb: 256,
    threads: 2,
    scratchFolder: join(folder, "_scratch"),
    readableFolders: [folder],
    clock: systemClock,
  });
  const engine = sparkEngine({ sessions, store, root: `file:${folder}` });
  return {
    ...dividedEngine(engine, localEngine(here, store)),
    write: async (transform, signal) => engine.write(transform, signal),
    [Symbol.asyncDispose]: async () => {
      await sessions[Symbol.asyncDispose]();
      await here[Symbol.asyncDispose]();
    },
  };
}
