// Pure: tables for a terminal, numbers to the right.

/** A cell: a number with its decimals, or text. */
export type Cell = string | { readonly value: number; readonly decimals: number };

/** A number with this many decimals and thousands separated. */
export function number(value: number, decimals = 0): Cell {
  return { value, decimals };
}

/** Lines of a table with a header; the columns are as wide as they need. Rows may be shorter than the header. */
export function tableText(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => header.map((_, column) => cellText(row[column] ?? "")));
  const isNumeric = header.map((_, column) => rows.some((row) => typeof row[column] === "object"));
  const widths = header.map((name, column) =>
    Math.max(name.length, ...texts.map((row) => row[column]?.length ?? 0)),
  );
  const lineOf = (cells: readonly string[]): string =>
    cells
      .map((text, column) =>
        isNumeric[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [header, widths.map((width) => "-".repeat(width)), ...texts]
    .map((cells) => `${lineOf(cells)}\n`)
    .join("");
}

function cellText(cell: Cell): string {
  if (typeof cell === "string") return cell;
  const { value, decimals } = cell;
  return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
