// Doctor's look at the log: what it says of itself, how much of it bronze has not taken, and what bronze can no longer get.

import type { Assembly } from "../../assemble.ts";
import { identitiesOf, nextPositions } from "../../lakehouse/bronze/positions.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import type { EventLog } from "../../log/event-log.ts";
import { checkPosition } from "../../log/positions.ts";
import { messageOf } from "../../support/errors.ts";
import type { CommandContext } from "../command.ts";
import { examine, type Finding, plural } from "./finding.ts";

/** The log on one line, and a line for everything that is wrong with it. */
export async function examineLog(
  context: CommandContext,
  assembly: Assembly,
  lake: Lake,
): Promise<readonly Finding[]> {
  const wrong: Finding[] = [];
  const found = await examine("log", async () => {
    const log = await assembly.log({ readOnly: true });
    const there = await log.partitions();
    // A cluster may hold topics of others; an embedded log holds none.
    const ours = Object.values(context.config.log.topics).filter((topic) => there.has(topic));
    const topics = context.config.log.kind === "embedded" ? [...there.keys()] : ours;
    const { text, warnings } = await log.describe(topics);
    for (const warning of warnings) wrong.push({ state: "warn", what: "log", found: warning });
    const { waiting, isBehind, lost } = await waitingIn(log, topics, lake);
    for (const message of lost) wrong.push({ state: "fail", what: "log", found: message });
    if (isBehind) {
      const what = "it is older than the lake: bronze has messages that it does not";
      return { state: "fail", found: `${text}; ${what}. See docs/operate/recovery.md.` };
    }
    const state = warnings.length > 0 ? "warn" : "ok";
    return { state, found: `${text}, ${plural(waiting, "message")} not yet in bronze` };
  });
  return [found, ...wrong];
}

interface Waiting {
  readonly waiting: bigint;
  /** True if bronze has taken more than the log holds. */
  readonly isBehind: boolean;
  /** What bronze wants next and the log no longer has, a sentence each. */
  readonly lost: readonly string[];
}

async function waitingIn(log: EventLog, topics: readonly string[], lake: Lake): Promise<Waiting> {
  const bronze = await lake.table("bronze/readings").snapshot();
  const ranges = await log.ranges(topics);
  const next = bronze === undefined ? [] : nextPositions(bronze, await identitiesOf(log, topics), ranges);
  const lost: string[] = [];
  let [waiting, isBehind] = [0n, false];
  for (const [index, range] of ranges.entries()) {
    const position = next[index] ?? { ...range, offset: range.start };
    waiting += range.end - position.offset;
    isBehind ||= position.offset > range.end;
    if (position.offset < range.start) lost.push(lossAt(position, range));
  }
  return { waiting, isBehind, lost };
}

function lossAt(...[position, range]: Parameters<typeof checkPosition>): string {
  try {
    checkPosition(position, range);
    return "";
  } catch (error) {
    return messageOf(error);
  }
}
