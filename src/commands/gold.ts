// `atrium gold`: silver to KPIs, for the days that changed or those given.

import * as kinds from "../config/kinds.ts";
import { allDays } from "../lakehouse/gold/changed-days.ts";
import { makeGold, type GoldSummary } from "../lakehouse/gold/gold.ts";
import type { Lake } from "../lakehouse/lake.ts";
import { AtriumError } from "../support/errors.ts";
import { defineCommand, optionalFlag, switchFlag } from "./command.ts";
import { expiredText, LAKE_SETTINGS, parts, restatedText, stageOptions } from "./stages.ts";

const DAY_MS = 86_400_000;
/** More days in one call are a mistake in a date. */
const DAYS_MAX = 36_525;

/** The command. */
export const goldCommand = defineCommand({
  about:
    "Makes the hourly and daily KPIs of the days whose silver changed, or of those given (UTC days).\n" +
    "A day is replaced whole and only if it differs; what that changed in a day that was over goes to gold/restatements.\n" +
    "Exit code 99: there was nothing to do, as for a day without readings.",
  flags: {
    date: optionalFlag(kinds.day, "Makes this day."),
    from: optionalFlag(kinds.day, "Makes the days from this one …"),
    to: optionalFlag(kinds.day, "… to this one, itself included."),
    json: switchFlag("Prints the summary as one JSON object."),
  },
  settings: LAKE_SETTINGS,
  examples: [
    "gold --lake ./lake",
    "gold --lake ./lake --date 2013-08-24",
    "gold --lake ./lake --from 2013-08-23 --to 2013-08-31",
  ],
  run: async (context) => {
    await using assembly = parts(context);
    const days = daysOf(context.flags);
    refuseFuture(days, context.clock.nowMs());
    const lake = await assembly.lake({ create: false });
    const summary = await makeGold({
      ...stageOptions(context, lake),
      ...(days === undefined ? {} : { days }),
    });
    const daysEmpty = await withoutReadings(lake, days ?? []);
    context.stdout(
      context.flags.json
        ? `${JSON.stringify({ ...summary, daysEmpty })}\n`
        : goldText({ ...summary, daysEmpty }),
    );
    return summary.daysReplaced.length + summary.daysRestated.length === 0 ? 99 : 0;
  },
});

/** Of the days that were asked for, those of which silver has nothing. */
async function withoutReadings(lake: Lake, days: readonly string[]): Promise<readonly string[]> {
  const silver = await lake.table("silver/readings").snapshot();
  const held = new Set(silver === undefined ? [] : allDays(silver, silver));
  return days.filter((day) => !held.has(day));
}

interface GoldReport extends GoldSummary {
  readonly daysEmpty: readonly string[];
}

function goldText(summary: GoldReport): string {
  const { daysReplaced, daysChecked, daysRestated, daysExpired } = summary;
  const daysEmpty = summary.daysEmpty.filter((day) => !daysExpired.includes(day));
  const lines = [
    `${daysReplaced.length} of ${daysChecked.length} days replaced: ${daysReplaced.join(", ") || "none"}`,
    ...(daysRestated.length === 0 ? [] : [`Restated: ${restatedText(summary)}`]),
    ...(daysEmpty.length === 0 ? [] : [`Without readings: ${daysEmpty.join(", ")}`]),
    ...(daysExpired.length === 0 ? [] : [`Left as they are: ${expiredText(daysExpired)}`]),
  ];
  return `${lines.join("\n")}\n`;
}

/** A day that has not begun is a mistake in a date: it must not pass for a day without readings. @throws USAGE_INVALID */
function refuseFuture(days: readonly string[] | undefined, nowMs: number): void {
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const last = days?.at(-1);
  if (last === undefined || last <= today) return;
  const message = `${last} has not begun yet: it is ${today} (UTC). Name days up to today.`;
  throw new AtriumError("USAGE_INVALID", message);
}

/** The days that the flags name; undefined without any. @throws USAGE_INVALID */
function daysOf(flags: {
  readonly date: string | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
}): readonly string[] | undefined {
  const { date, from, to } = flags;
  if (date !== undefined) {
    if (from !== undefined || to !== undefined) {
      throw new AtriumError("USAGE_INVALID", "--date excludes --from and --to: give one day, or both ends.");
    }
    return [date];
  }
  if (from === undefined && to === undefined) return undefined;
  if (from === undefined || to === undefined) {
    throw new AtriumError("USAGE_INVALID", "--from and --to go together: give both ends.");
  }
  const count = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
  if (count < 1 || count > DAYS_MAX) {
    throw new AtriumError(
      "USAGE_INVALID",
      `--from ${from} --to ${to} are not 1 to ${DAYS_MAX} days: --to must not be earlier.`,
    );
  }
  return Array.from({ length: count }, (_, index) =>
    new Date(Date.parse(from) + index * DAY_MS).toISOString().slice(0, 10),
  );
}
