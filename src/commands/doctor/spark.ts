// Doctor's look at the Spark server of SPARK_REMOTE: version, time zone, Delta, and how long a trip there takes.

import type { Assembly } from "../../assemble.ts";
import type { CommandContext } from "../command.ts";
import { examine, type Finding } from "./finding.ts";

const LIMITS = { timeoutMs: 30_000 };

/** One finding, or none if SPARK_REMOTE is not set. */
export async function examineSpark(
  { config, clock }: CommandContext,
  assembly: Assembly,
): Promise<readonly Finding[]> {
  const { sparkRemote } = config.engine;
  if (sparkRemote === undefined) return [];
  const finding = await examine("spark", async () => {
    const session = await assembly.spark({ reconnectMsMax: 0 });
    const { rows } = await session.query("select version(), current_timezone()", LIMITS);
    const [version, timeZone] = (rows[0] ?? []).map((value) =>
      typeof value === "string" ? value : "unknown",
    );
    // The first trip also made the connection and the session.
    const startMs = clock.monotonicMs();
    const settings = await session.settings(["spark.sql.extensions"]);
    const tripMs = Math.ceil(clock.monotonicMs() - startMs);
    const hasDelta = settings.get("spark.sql.extensions")?.includes("DeltaSparkSessionExtension") ?? false;
    const facts = [
      `${sparkRemote}: Spark ${version?.replace(/ .*/, "")}`,
      `time zone ${timeZone}`,
      hasDelta
        ? "with Delta"
        : "without Delta: set spark.sql.extensions as docs/extend/spark-connect.md says",
      `round trip ${tripMs} ms`,
    ];
    return { state: hasDelta ? "ok" : "warn", found: facts.join(", ") };
  });
  return [finding];
}
