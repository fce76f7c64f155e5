// Prometheus's text format, read as far as tests need it.

/** One sample: its name with labels, as written, and its value. */
export type Samples = ReadonlyMap<string, number>;

/** The samples of a text: `name{label="value"}` -> value. */
export function samplesOf(text: string): Samples {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))] as const;
    }),
  );
}

/** The metrics of a text with their types: name -> counter, gauge, histogram. */
export function typesOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => [name, type]),
  );
}

/** The sum of the samples of a metric, all labels together. */
export function sumOf(samples: Samples, name: string): number {
  return [...samples].reduce(
    (sum, [key, value]) => (key === name || key.startsWith(`${name}{`) ? sum + value : sum),
    0,
  );
}
