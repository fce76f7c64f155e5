// An engine whose input files are cached copies: they stay while a call reads them, and a bad copy is fetched again once.

import type { Engine, Input } from "../../lakehouse/engine.ts";
import { localInputs } from "../../lakehouse/local-inputs.ts";
import { AtriumError, isAtriumError } from "../../support/errors.ts";
import type { S3ObjectStore } from "./object-store.ts";

/** The store, as far as the engine minds it. */
type CopiedStore = Pick<S3ObjectStore, "cache" | "localFile" | "url">;

/** The engine, for inputs that name objects of the store. Its errors name the objects, not their copies. */
export function cachedEngine(engine: Engine, store: CopiedStore): Engine {
  return {
    write: async (transform, signal) =>
      withCopies(store, transform.inputs, async (inputs) => engine.write({ ...transform, inputs }, signal)),
    query: async (query, signal) =>
      withCopies(store, query.inputs, async (inputs) => engine.query({ ...query, inputs }, signal)),
    [Symbol.asyncDispose]: async () => engine[Symbol.asyncDispose](),
  };
}

async function withCopies<Result>(
  store: CopiedStore,
  wanted: readonly Input[],
  call: (inputs: readonly Input[]) => Promise<Result>,
): Promise<Result> {
  const inputs = await localInputs(store, wanted);
  const files = inputs.flatMap((input) =>
    input.kind === "files" ? input.files.map(({ path }) => path) : [],
  );
  const callHere = async (): Promise<Result> => call(inputs);
  try {
    return await store.cache.during(files, callHere);
  } catch (error) {
    const path = damagedCopy(store, error);
    if (path === undefined) throw error;
    // It may be the copy alone: a disk can lie, and another process may have removed it.
    await store.cache.drop([path]);
    try {
      return await store.cache.during(files, callHere);
    } catch (again) {
      throw named(store, again);
    }
  }
}

/** The object whose copy is to blame; undefined if it is none. */
function damagedCopy({ cache }: CopiedStore, error: unknown): string | undefined {
  if (!isAtriumError(error, "TABLE_CORRUPT")) return undefined;
  const file = error.details["file"];
  const isCopy = typeof file === "string" && file.startsWith(`${cache.root}/`);
  return isCopy ? file.slice(cache.root.length + 1) : undefined;
}

function named(store: CopiedStore, error: unknown): unknown {
  const file = damagedCopy(store, error);
  if (file === undefined || !isAtriumError(error)) return error;
  const message = error.message.replaceAll(store.cache.root, store.url);
  return new AtriumError(error.code, message, { cause: error, details: { ...error.details, file } });
}
