// Conditions of a query as SQL text with named parameters: no value ever becomes text. Pure.

/** A value of a key. */
export type KeyValue = string | number;

/** A column that orders a list; the key columns together tell its rows apart. */
export interface KeyColumn {
  readonly name: string;
  readonly type: "timestamp" | "date" | "integer" | "long" | "string";
}

/** Filters by column: an empty list lets all pass. */
export type OneOf = Readonly<Record<string, readonly string[]>>;

/** What a column is compared with. */
export interface Comparison {
  readonly type: KeyColumn["type"];
  readonly value: KeyValue | undefined;
}

/** Conditions that are all to hold, and their values. */
export interface Conditions {
  readonly parameters: Readonly<Record<string, KeyValue>>;
  /** The column has one of the values. */
  oneOf(lists: OneOf): void;
  /** The column compares so with the value; nothing if the value is undefined. */
  compare(column: string, operator: string, comparison: Comparison): void;
  /** The row comes after the one with this key. */
  after(keys: readonly KeyColumn[], values: readonly KeyValue[]): void;
  /** ` where …`, or nothing. */
  text(): string;
}

/** No condition yet. */
export function conditions(): Conditions {
  const parameters: Record<string, KeyValue> = {};
  const texts: string[] = [];
  const placeholder = (value: KeyValue, type: KeyColumn["type"]): string => {
    const name = `p${Object.keys(parameters).length}`;
    parameters[name] = value;
    return type === "string" ? `$${name}` : `cast($${name} as ${SQL_TYPES[type]})`;
  };
  return {
    parameters,
    oneOf: (lists) => {
      for (const [column, values] of Object.entries(given(lists))) {
        texts.push(
          `${quoted(column)} in (${values.map((value) => placeholder(value, "string")).join(", ")})`,
        );
      }
    },
    compare: (column, operator, { type, value }) => {
      if (value !== undefined) texts.push(`${quoted(column)} ${operator} ${placeholder(value, type)}`);
    },
    after: (keys, values) => {
      const columns = keys.map((column, index) => ({
        name: quoted(column.name),
        value: placeholder(values[index] ?? "", column.type),
      }));
      texts.push(afterSql(columns));
    },
    text: () => (texts.length === 0 ? "" : ` where ${texts.join(" and ")}`),
  };
}

/** `a >= x and (a > x or (a = x and (b > y or …)))`: the first part lets the engine skip row groups. */
function afterSql([first, ...rest]: readonly { readonly name: string; readonly value: string }[]): string {
  if (first === undefined) return "false";
  if (rest.length === 0) return `${first.name} > ${first.value}`;
  return `${first.name} >= ${first.value} and (${first.name} > ${first.value} or (${first.name} = ${first.value} and ${afterSql(rest)}))`;
}

const SQL_TYPES: Readonly<Record<KeyColumn["type"], string>> = {
  timestamp: "timestamptz",
  date: "date",
  integer: "integer",
  long: "bigint",
  string: "varchar",
};

/** A name as SQL text. */
export function quoted(name: string): string {
  return `"${name}"`;
}

/** Without the lists that let all pass. */
export function given(lists: OneOf): OneOf {
  return Object.fromEntries(Object.entries(lists).filter(([, values]) => values.length > 0));
}
