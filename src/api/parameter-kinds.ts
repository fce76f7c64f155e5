// The kinds of parameters: given once, given several times, a count. Pure.

import { Type, type TSchema } from "typebox";
import { shown, type Parameter, type Parsed } from "./query-string.ts";

const LIST_ITEMS_MAX = 100;

/** Bounds of a count, and its value where it is absent. */
export interface CountOptions {
  readonly max: number;
  readonly fallback: number;
}

/** A whole number from 1 to `max`; `fallback` where it is absent. */
export function count({ max, fallback }: CountOptions): Parameter<number> {
  const parameter = single({
    schema: Type.Integer({
      minimum: 1,
      maximum: max,
      default: fallback,
      description: "At most so many rows.",
      examples: [10],
    }),
    parse: (text) => {
      const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
      return number >= 1 && number <= max
        ? { value: number }
        : { problem: `is ${shown(text)}: expected a whole number from 1 to ${max}.` };
    },
  });
  return {
    ...parameter,
    parse: (texts) => (texts.length === 0 ? { value: fallback } : withoutAbsence(parameter.parse(texts))),
  };
}

/** One value: its schema, and how its text is read. */
export interface SingleOptions<Value> {
  readonly schema: TSchema;
  readonly parse: (text: string) => Parsed<Value>;
}

/** A parameter that may be given once. */
export function single<Value>({ schema, parse }: SingleOptions<Value>): Parameter<Value | undefined> {
  return {
    schema,
    isRequired: false,
    parse: (texts) => {
      const [text] = texts;
      if (text === undefined) return { value: undefined };
      return texts.length > 1 ? { problem: `is given ${texts.length} times: once is allowed.` } : parse(text);
    },
  };
}

/** The same parameter, but it must be given. */
export function required<Value>(parameter: Parameter<Value | undefined>): Parameter<Value> {
  return {
    schema: parameter.schema,
    isRequired: true,
    parse: (texts) => withoutAbsence(parameter.parse(texts)),
  };
}

function withoutAbsence<Value>(parsed: Parsed<Value | undefined>): Parsed<Value> {
  if ("problem" in parsed) return parsed;
  return parsed.value === undefined ? { problem: "is required." } : { value: parsed.value };
}

/** Several values of a kind. */
export interface ManyOptions<Value> {
  readonly item: TSchema;
  readonly description: string;
  readonly example: readonly string[];
  readonly parse: (text: string) => Parsed<Value>;
}

/** A parameter that may be repeated, or hold values separated by commas; each value counts once. Absent is empty. */
export function many<Value>({
  item,
  description,
  example,
  parse,
}: ManyOptions<Value>): Parameter<readonly Value[]> {
  return {
    schema: Type.Array(item, { minItems: 1, maxItems: LIST_ITEMS_MAX, description, examples: [example] }),
    isRequired: false,
    parse: (texts) => {
      const items = texts.flatMap((text) => text.split(",")).map((text) => text.trim());
      const isTooLong = items.length > LIST_ITEMS_MAX;
      if (isTooLong) return { problem: `has ${items.length} values: at most ${LIST_ITEMS_MAX} are allowed.` };
      if (items.includes("")) return { problem: "has an empty value: leave it out to mean all." };
      const values = new Set<Value>();
      for (const text of items) {
        const parsed = parse(text);
        if ("problem" in parsed) return parsed;
        values.add(parsed.value);
      }
      return { value: [...values] };
    },
  };
}
