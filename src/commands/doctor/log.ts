// Doctor's look at the log: what it is, what it holds that bronze has not, and what bronze wants that it holds no longer.

import type { Assembly } from "../../assemble.ts";
import { identitiesOf, nextPositions } from "../../lakehouse/bronze/positions.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import type { EventLog, Position } from "../../log/event-log.ts";
import { checkPosition } from "../../log/positions.ts";
import { messageOf } from "../../support/errors.ts";
import type { CommandContext } from "../command.ts";
import { failed, type Finding, plural } from "./finding.ts";

/** The log, its warnings, and the partitions of which messages are lost. */
export async function examineLog(
  { config }: CommandContext,
  assembly: Assembly,
  lake: Lake,
): Promise<readonly Finding[]> {
  const finding = (state: Finding["state"], found: string): Finding => ({ state, what: "log", found });
  try {
    const log = await assembly.log({ readOnly: true });
    const there = await log.partitions();
    const topics = Object.values(config.log.topics).filter((topic) => there.has(topic));
    const { text, warnings } = await log.describe(topics);
    const { waiting, lost } = await waitingIn(log, topics, lake);
    const summary = `${text}, ${plural(waiting, "message")} not yet in bronze`;
    return [
      finding("ok", summary),
      ...warnings.map((warning) => finding("warn", warning)),
      ...lost.map((message) => finding("fail", `${message} See docs/operate/recovery.md.`)),
    ];
  } catch (error) {
    return [failed("log", error)];
  }
}

/** How many messages bronze has not taken, and which positions it wants that the log does not hold. */
async function waitingIn(
  log: EventLog,
  topics: readonly string[],
  lake: Lake,
): Promise<{ readonly waiting: bigint; readonly lost: readonly string[] }> {
  const bronze = await lake.table("bronze/readings").snapshot();
  const ranges = await log.ranges(topics);
  const next: readonly Position[] =
    bronze === undefined
      ? ranges.map(({ topic, partition, start }) => ({ topic, partition, offset: start }))
      : nextPositions(bronze, await identitiesOf(log, topics), ranges);
  const lost: string[] = [];
  let waiting = 0n;
  for (const [index, range] of ranges.entries()) {
    const position = next[index];
    if (position === undefined) continue;
    if (range.end > position.offset) waiting += range.end - position.offset;
    try {
      checkPosition(position, range);
    } catch (error) {
      lost.push(messageOf(error));
    }
  }
  return { waiting, lost };
}
