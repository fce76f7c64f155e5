// Reads a query string by a specification: each parameter knows its schema, for the documents, and how to read its texts. Pure.

import { Type, type TObject, type TSchema } from "typebox";
import { AtriumError } from "../support/errors.ts";
import { didYouMean } from "../support/nearest.ts";

/** A value that was read, or what is wrong with its text, to follow the parameter's name: `limit is 0: …`. */
export type Parsed<Value> = { readonly value: Value } | { readonly problem: string };

/** One parameter of a query string. */
export interface Parameter<Value> {
  readonly schema: TSchema;
  readonly isRequired: boolean;
  /** Reads the texts that were given, none if the parameter is absent. */
  parse(texts: readonly string[]): Parsed<Value>;
}

/** The parameters of a path by name. */
export type ParameterSpec = Readonly<Record<string, Parameter<unknown>>>;

/** The values that a specification reads. */
export type ValuesOf<Spec extends ParameterSpec> = {
  readonly [Name in keyof Spec]: Spec[Name] extends Parameter<infer Value> ? Value : never;
};

/** A parameter and what is wrong with it: an item of a problem document's `errors`. */
export interface ParameterProblem {
  readonly parameter: string;
  readonly message: string;
}

const SHOWN_LENGTH_MAX = 60;

/** Reads all parameters. @throws PARAMETER_INVALID with every problem, one that is not in the specification included */
export function readParameters<Spec extends ParameterSpec>(
  spec: Spec,
  query: Readonly<Record<string, unknown>>,
): ValuesOf<Spec> {
  const names = Object.keys(spec);
  const problems = Object.keys(query)
    .filter((name) => !names.includes(name))
    .map((name) => ({ parameter: shortened(name), message: unknownMessage(name, names) }));
  const values: [string, unknown][] = [];
  for (const [name, parameter] of Object.entries(spec)) {
    const outcome = parameter.parse(textsOf(query[name]));
    if ("problem" in outcome) problems.push({ parameter: name, message: `${name} ${outcome.problem}` });
    else values.push([name, outcome.value]);
  }
  if (problems.length > 0) throw parametersInvalid(problems);
  // Each name of the specification has its parameter's value here.
  return Object.fromEntries(values) as ValuesOf<Spec>;
}

/** The error for parameters that are wrong, one by one or together. */
export function parametersInvalid(problems: readonly ParameterProblem[]): AtriumError {
  const message = problems.map((problem) => problem.message).join(" ");
  return new AtriumError("PARAMETER_INVALID", message, { details: { problems } });
}

/** The specification as the schema of a query string. */
export function schemaOf(spec: ParameterSpec): TObject {
  const properties = Object.entries(spec).map(
    ([name, { schema, isRequired }]) => [name, isRequired ? schema : Type.Optional(schema)] as const,
  );
  return Type.Object(Object.fromEntries(properties), { additionalProperties: false });
}

/** A text as it is shown in a message: quoted, and not longer than a line. */
export function shown(text: string): string {
  return JSON.stringify(shortened(text));
}

function shortened(text: string): string {
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}

function textsOf(value: unknown): readonly string[] {
  if (value === undefined) return [];
  return [value].flat().map(String);
}

function unknownMessage(name: string, names: readonly string[]): string {
  const allowed = names.length === 0 ? "this path takes none." : `this path takes ${names.join(", ")}.`;
  return `There is no parameter ${shortened(name)}: ${allowed}${didYouMean(name, names)}`;
}
