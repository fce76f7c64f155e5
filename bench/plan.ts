// Pure: what the arguments ask for.

import { parseArgs } from "node:util";
import { STAGES, type Stage } from "./stages.ts";

/** The parts that `--only` may name. */
export const PARTS = [...STAGES, "memory", "generate", "api", "pace", "kafka", "freshness", "s3"] as const;

/** A part of the bench. */
export type Part = (typeof PARTS)[number];

/** What one call of the bench does. */
export interface Plan {
  readonly parts: readonly Part[];
  /** Empty means all. */
  readonly rooms: readonly string[];
  readonly rounds: number;
  readonly save: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

const ROUNDS_MAX = 20;

/** Explains the arguments. */
export const USAGE = `Measures Atrium on the KETI folder (KETI_DIR or ../shared/data/keti), or on generated readings where there is none.

  --only PART,...   only these of ${PARTS.join(", ")};
                    the last three start real services, where Java and Go are there
  --rooms ROOM,...  only these rooms: a quick run
  --rounds N        1 to ${ROUNDS_MAX} rounds of floor and stages, of which the medians count (default 1)
  --save            stores the ratios as the new baseline of these readings (bench/baseline.json)
  --json            prints one JSON object in place of tables
`;

/** Reads the arguments. Throws an Error that says what is wrong. */
export function planOf(args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: PARTS.join(",") },
      rooms: { type: "string", default: "" },
      rounds: { type: "string", default: "1" },
      save: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) {
    throw new Error(`--rounds ${values.rounds}: a whole number from 1 to ${ROUNDS_MAX} is allowed`);
  }
  const rooms = [...new Set(namesIn(values.rooms))];
  const { save, json, help } = values;
  return { parts: partsIn(values.only), rooms, rounds, save, json, help };
}

/** The stages of a plan, in their order; `run` too if only its lake is wanted. */
export function stagesOf({ parts }: Plan): readonly Stage[] {
  return STAGES.filter((stage) => parts.includes(stage) || (stage === "run" && parts.includes("api")));
}

/** On how many rooms `run` shows its memory; the measurement of all of them is that of the stage, if there is one. */
export function roomCountsOf(plan: Plan, rooms: number): readonly number[] {
  if (!plan.parts.includes("memory")) return [];
  const counts = [1, 4, rooms].filter((count) => count <= rooms);
  return [...new Set(counts)].filter((count) => count < rooms || !stagesOf(plan).includes("run"));
}

function partsIn(text: string): readonly Part[] {
  const names = namesIn(text);
  const unknown = names.filter((name) => !PARTS.some((part) => part === name));
  if (unknown.length > 0 || names.length === 0) {
    throw new Error(`--only ${text}: ${PARTS.join(", ")} are allowed`);
  }
  return PARTS.filter((part) => names.includes(part));
}

function namesIn(text: string): readonly string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
