// The session that an engine works in: made with the settings that its results depend on, and made anew when the server
// has lost it. What is repeated then is a whole write or query, which left nothing behind.

import { AtriumError } from "../../support/errors.ts";
import type { SparkSession } from "./connect/session.ts";
import { errorClassOf } from "./failures.ts";

/** Where work finds its session. */
export interface SparkSessions extends AsyncDisposable {
  /** Runs work in the session; once more in a new one if the server does not know the session any more. */
  use<T>(work: (session: SparkSession) => Promise<T>): Promise<T>;
}

/** What results depend on, whatever the server's defaults are. */
const SETTINGS: Readonly<Record<string, string>> = {
  "spark.sql.session.timeZone": "UTC",
  "spark.sql.ansi.enabled": "true",
  "spark.sql.ansi.doubleQuotedIdentifiers": "true",
  // As DuckDB: all digits after the point stay, and what has no room is an error.
  "spark.sql.decimalOperations.allowPrecisionLoss": "false",
  "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
  "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
  "spark.sql.files.ignoreMissingFiles": "false",
  "spark.sql.files.ignoreCorruptFiles": "false",
  "spark.sql.files.maxRecordsPerFile": "0",
  "spark.sql.parquet.mergeSchema": "false",
  "spark.sql.adaptive.enabled": "true",
};

/** Versions of Spark of which the engine is known to give the results of DuckDB. */
const VERSION = /^4\./;
const LOST = /^INVALID_HANDLE\.SESSION_|^INVALID_HANDLE\.OPERATION_ABANDONED/;

/** Sessions of a server; `open` opens one. */
export function sparkSessions(open: () => Promise<SparkSession>): SparkSessions {
  let current: Promise<SparkSession> | undefined;
  const ready = async (): Promise<SparkSession> => {
    const session = await open();
    try {
      await session.set(SETTINGS);
      await checkVersion(session);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  };
  const opened = async (): Promise<SparkSession> => {
    current ??= ready();
    try {
      return await current;
    } catch (error) {
      current = undefined;
      throw error;
    }
  };
  return {
    use: async (work) => {
      const session = await opened();
      try {
        return await work(session);
      } catch (error) {
        if (!LOST.test(errorClassOf(error))) throw error;
        if ((await current) === session) current = undefined;
        return work(await opened());
      }
    },
    [Symbol.asyncDispose]: async () => {
      const session = await current?.catch(() => undefined);
      current = undefined;
      await session?.close();
    },
  };
}

async function checkVersion(session: SparkSession): Promise<void> {
  const { rows } = await session.query("select version()");
  const [[found] = []] = rows;
  const version = typeof found === "string" ? found.replace(/ .*/, "") : "of no known version";
  if (VERSION.test(version)) return;
  throw new AtriumError(
    "ENGINE_FAILED",
    `SPARK_REMOTE leads to Spark ${version}: ENGINE=spark needs 4.0 or later. Use such a server.`,
  );
}
