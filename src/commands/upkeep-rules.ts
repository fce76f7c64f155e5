// The rules of upkeep from the configuration, for the commands that look after tables.

import type { SettingName } from "../config/settings.ts";
import type { UpkeepOptions } from "../lakehouse/upkeep/upkeep.ts";
import type { CommandContext } from "./command.ts";

/** Settings of upkeep. */
export const UPKEEP_SETTINGS: readonly SettingName[] = [
  "COMPACT_TARGET_MB",
  "VACUUM_GRACE_HOURS",
  "RETENTION_BRONZE_DAYS",
  "RETENTION_REJECTED_DAYS",
  "RETENTION_SILVER_DAYS",
  "RETENTION_GOLD_DAYS",
];

/** What the settings say of upkeep. */
export function upkeepRules({
  config,
}: Pick<CommandContext, "config">): Pick<UpkeepOptions, "targetBytes" | "graceMs" | "retentionDays"> {
  const { compactTargetMb, vacuumGraceHours, bronzeDays, rejectedDays, silverDays, goldDays } = config.upkeep;
  return {
    targetBytes: compactTargetMb * 1_048_576,
    graceMs: vacuumGraceHours * 3_600_000,
    retentionDays: { bronze: bronzeDays, rejected: rejectedDays, silver: silverDays, gold: goldDays },
  };
}
