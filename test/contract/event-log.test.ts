// Runs the EventLog contract on the adapters that need no server.

import { join } from "node:path";
import { openEmbeddedLog } from "../../src/adapters/embedded/event-log.ts";
import { makeMemoryLog } from "../../src/adapters/memory/event-log.ts";
import { meteredLog } from "../../src/log/metered-log.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { stillClock, temporaryFolder } from "../support/log.ts";
import { eventLogContract } from "./event-log.ts";

const ROOMY = { maxBytes: 268_435_456 };

eventLogContract({
  name: "memory",
  hasRetention: true,
  marks: 0,
  open: async (retention = ROOMY) => {
    const clock = stillClock();
    const log = makeMemoryLog({ clock, retention });
    return {
      log,
      topicPrefix: "",
      waitMs: 0,
      elapse: (ms) => clock.advance(ms),
      dispose: async () => log[Symbol.asyncDispose](),
    };
  },
});

eventLogContract({
  name: "memory, metered",
  hasRetention: true,
  marks: 0,
  open: async (retention = ROOMY) => {
    const clock = stillClock();
    const log = meteredLog(makeMemoryLog({ clock, retention }), { add: () => undefined });
    return {
      log,
      topicPrefix: "",
      waitMs: 0,
      elapse: (ms) => clock.advance(ms),
      dispose: async () => log[Symbol.asyncDispose](),
    };
  },
});

eventLogContract({
  name: "embedded",
  hasRetention: true,
  marks: 0,
  open: async (retention = ROOMY) => {
    const clock = stillClock();
    const folder = temporaryFolder();
    const log = await openEmbeddedLog({
      file: join(folder.path, "log.sqlite"),
      clock,
      logger: silentLogger,
      retention,
    });
    const dispose = async (): Promise<void> => {
      await log[Symbol.asyncDispose]();
      folder.remove();
    };
    return { log, topicPrefix: "", waitMs: 0, elapse: (ms) => clock.advance(ms), dispose };
  },
});
