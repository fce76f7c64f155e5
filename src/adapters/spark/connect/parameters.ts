// Parameters as Spark's own literals, for servers that take them beside the text.

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Expression_LiteralSchema, ExpressionSchema } from "./proto/spark/connect/expressions_pb.ts";
import {
  checkedLong,
  checkedText,
  daysOf,
  decimalParts,
  type SparkParameter,
  type SparkParameters,
} from "./values.ts";

type Literal = MessageInitShape<typeof Expression_LiteralSchema>;
type Expression = MessageInitShape<typeof ExpressionSchema>;

/** The fields for parameters of Spark's SQL messages. */
export interface BoundParameters {
  readonly posArguments: Expression[];
  readonly namedArguments: Record<string, Expression>;
}

/** Puts parameters into the fields of a SQL message. @throws QUERY_INVALID for a value that cannot be sent */
export function boundParameters(parameters: SparkParameters | undefined): BoundParameters {
  if (parameters === undefined) return { posArguments: [], namedArguments: {} };
  if (isPositional(parameters)) return { posArguments: parameters.map(expressionOf), namedArguments: {} };
  const named = Object.entries(parameters).map(([name, value]) => [name, expressionOf(value)] as const);
  return { posArguments: [], namedArguments: Object.fromEntries(named) };
}

/** True for parameters of `?`. */
export function isPositional(parameters: SparkParameters): parameters is readonly SparkParameter[] {
  return Array.isArray(parameters);
}

function expressionOf(value: SparkParameter): Expression {
  return { exprType: { case: "literal", value: { literalType: literalOf(value) } } };
}

function literalOf(value: SparkParameter): NonNullable<Literal["literalType"]> {
  if (value === null) return { case: "null", value: { kind: { case: "null", value: {} } } };
  if (typeof value === "boolean") return { case: "boolean", value };
  if (typeof value === "number") return { case: "double", value };
  if (typeof value === "bigint") return { case: "long", value: checkedLong(value) };
  if (typeof value === "string") return { case: "string", value: checkedText(value) };
  if (value instanceof Uint8Array) return { case: "binary", value };
  if ("timestampUs" in value) return { case: "timestamp", value: checkedLong(value.timestampUs) };
  if ("date" in value) return { case: "date", value: daysOf(value.date) };
  return { case: "decimal", value: { value: value.decimal, ...decimalParts(value.decimal) } };
}
