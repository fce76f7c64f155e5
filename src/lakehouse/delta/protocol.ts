// Which Delta tables Atrium can take part in: reader version 1, writer version 2, nothing that asks for more.

import { AtriumError } from "../../support/errors.ts";
import type { MetadataAction, ProtocolAction } from "./actions.ts";

/** What Atrium asks of readers and writers of its own tables. */
export const OWN_PROTOCOL: ProtocolAction = { minReaderVersion: 1, minWriterVersion: 2 };

/** Refuses a table that asks for more than Atrium can. @throws TABLE_UNSUPPORTED naming the features and the table. */
export function refuseUnsupported(table: string, protocol: ProtocolAction, metadata: MetadataAction): void {
  const found = [...featuresBeyond(protocol), ...settingsBeyond(metadata)];
  if (found.length === 0) return;
  throw new AtriumError(
    "TABLE_UNSUPPORTED",
    `Table ${table} needs ${found.join(", ")}: Atrium reads and writes Delta tables of reader version 1 and ` +
      `writer version 2. Drop the feature with the tool that added it, or copy the table to a plain one.`,
    { details: { table, features: found } },
  );
}

function featuresBeyond(protocol: ProtocolAction): readonly string[] {
  const features = new Set([...(protocol.readerFeatures ?? []), ...(protocol.writerFeatures ?? [])]);
  if (features.size > 0) return [...features].map((feature) => `the feature ${feature}`);
  const found: string[] = [];
  if (protocol.minReaderVersion > 1) found.push(`reader version ${protocol.minReaderVersion}`);
  if (protocol.minWriterVersion > 2) found.push(`writer version ${protocol.minWriterVersion}`);
  return found;
}

function settingsBeyond(metadata: MetadataAction): readonly string[] {
  const found: string[] = [];
  const mapping = metadata.configuration["delta.columnMapping.mode"] ?? "none";
  if (mapping !== "none") found.push(`column mapping (delta.columnMapping.mode=${mapping})`);
  for (const name of Object.keys(metadata.configuration)) {
    if (name.startsWith("delta.constraints.")) found.push(`the check constraint ${name}`);
  }
  if (metadata.format.provider !== "parquet") found.push(`files of format ${metadata.format.provider}`);
  return found;
}
