// Runs the object store contract on the adapters that need no server.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import { memoryObjectStore } from "../../src/adapters/memory/object-store.ts";
import { objectStoreContract } from "./object-store.ts";

objectStoreContract("local folder", async () => {
  const folder = await mkdtemp(join(tmpdir(), "atrium-local-"));
  const dispose = async (): Promise<void> => rm(folder, { recursive: true, force: true });
  return { store: localObjectStore(join(folder, "lake")), dispose };
});

objectStoreContract("memory", async () => {
  const store = memoryObjectStore();
  return { store, dispose: async () => store[Symbol.asyncDispose]() };
});
