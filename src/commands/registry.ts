// The commands of Atrium; each is loaded only when it is called, so that help and errors come at once.

import type { Registry } from "./dispatch.ts";

/** All commands by name. */
export const COMMANDS: Registry = {
  run: {
    summary: "Replay, ingest, refine and gold, once: from raw files to KPIs.",
    load: async () => (await import("./run.ts")).runCommand,
  },
  up: {
    summary: "All of it as one long-lived process, with the API.",
    load: async () => (await import("./up.ts")).upCommand,
  },
  replay: {
    summary: "Send raw files to the log, at a rate, in time-warp or as fast as possible.",
    load: async () => (await import("./replay.ts")).replayCommand,
  },
  ingest: {
    summary: "Take messages from the log into bronze.",
    load: async () => (await import("./ingest.ts")).ingestCommand,
  },
  refine: {
    summary: "Make silver from what is new in bronze.",
    load: async () => (await import("./refine.ts")).refineCommand,
  },
  gold: {
    summary: "Make the KPIs of the days that changed, or of the days named.",
    load: async () => (await import("./gold.ts")).goldCommand,
  },
  upkeep: {
    summary: "Look after the tables: expire, merge, clean up.",
    load: async () => (await import("./upkeep.ts")).upkeepCommand,
  },
  serve: {
    summary: "Answer over HTTP.",
    load: async () => (await import("./serve.ts")).serveCommand,
  },
  sql: {
    summary: "Ask the tables in SQL, read-only.",
    load: async () => (await import("./sql.ts")).sqlCommand,
  },
  generate: {
    summary: "Write raw files of a made-up building, the same for the same seed.",
    load: async () => (await import("./generate.ts")).generateCommand,
  },
  table: {
    summary: "List tables and their history.",
    load: async () => (await import("./table.ts")).tableCommand,
  },
  rejected: {
    summary: "List the messages that are no readings, and redrive those that are by now.",
    load: async () => (await import("./rejected.ts")).rejectedCommand,
  },
  erase: {
    summary: "Erase a room from all tables, for good.",
    load: async () => (await import("./erase.ts")).eraseCommand,
  },
  verify: {
    summary: "Hold the lake against its files, its log and what it was made of.",
    load: async () => (await import("./verify.ts")).verifyCommand,
  },
  doctor: {
    summary: "Check the machine, the configuration, the log and the lake.",
    load: async () => (await import("./doctor.ts")).doctorCommand,
  },
};
