// `atrium table rebuild`: makes a damaged table of silver or gold again.

import type { Lake } from "../lakehouse/lake.ts";
import { rebuild } from "../lakehouse/verify/rebuild.ts";
import type { TableName } from "../reading/tables.ts";
import type { CommandContext } from "./command.ts";
import { stageOptions } from "./stages.ts";

/** Makes the table again and says what was replaced. */
export async function rebuildTable(
  context: CommandContext,
  { lake, name }: { readonly lake: Lake; readonly name: TableName },
): Promise<0> {
  const { queryTimeoutMs } = stageOptions(context, lake);
  const made = await rebuild({
    lake,
    table: name,
    queryTimeoutMs,
    progress: (text) =>
      context.progress.update(() => ({ message: "rebuild", text: `rebuild ${text}`, fields: { at: text } })),
    signal: context.signal,
  });
  context.progress.end();
  if (context.flags["json"] === true) {
    context.stdout(`${JSON.stringify(made)}\n`);
    return 0;
  }
  const { version, daysReplaced, daysKept, filesDropped } = made;
  const days = daysReplaced.length === 1 ? "1 day" : `${daysReplaced.length.toLocaleString("en")} days`;
  context.stdout(`${name} version ${version}: ${days} replaced.\n`);
  for (const file of filesDropped) context.stdout(`no longer part of it: ${file}\n`);
  if (daysKept.length > 0) {
    const kept = daysKept.length === 1 ? "1 day" : `${daysKept.length.toLocaleString("en")} days`;
    context.stdout(
      `${kept} left as they were, for what they were made of has expired: up to ${daysKept.at(-1) ?? ""}.\n`,
    );
  }
  return 0;
}
