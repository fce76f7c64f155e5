// The rules of architecture and style, each a function from source files to offences.

import { posix } from "node:path";
import { functionsOf, importsOf, lineAt, type SourceFile } from "./source-text.ts";

/** What breaks a rule: `path:line: what`. */
export type Offence = string;

/** A rule looks at all files at once. */
export type Rule = (files: readonly SourceFile[]) => readonly Offence[];

/** Stages from first to last: a file imports its own stage or an earlier one. */
const STAGES: readonly RegExp[] = [
  /^src\/support\//,
  /^src\/reading\//,
  /^src\/generator\//,
  /^src\/log\//,
  /^src\/replay\//,
  /^src\/lakehouse\/engine\.ts$/,
  /^src\/lakehouse\/delta\//,
  /^src\/lakehouse\/[^/]+$/,
  /^src\/lakehouse\/bronze\//,
  /^src\/lakehouse\/silver\//,
  /^src\/lakehouse\/gold\//,
  /^src\/lakehouse\/upkeep\//,
  /^src\/lakehouse\/verify\//,
  /^src\/pipeline\.ts$/,
  /^src\/api\//,
  /^src\/dashboard\//,
  /^src\/adapters\//,
  /^src\/config(\.ts$|\/)/,
  /^src\/assemble\.ts$/,
  /^src\/commands\//,
  /^src\/main\.ts$/,
];

/** Files that nothing in src imports: the entry, and what exists for tests. */
const ENTRIES = /^src\/(main\.ts$|adapters\/memory\/)/;

/** The one home of a package; everything else goes through a port or a function of ours. */
const PACKAGE_HOMES: readonly (readonly [RegExp, RegExp])[] = [
  [/^@duckdb\//, /^src\/adapters\/duckdb\//],
  [/^node:sqlite$/, /^src\/adapters\/embedded\//],
  [/^(fastify|typebox|@fastify\/.*)$/, /^src\/api\//],
  [/^pino/, /^src\/support\/logger\.ts$/],
  [/^@prometheus-io\//, /^src\/support\/metric-registry\.ts$/],
  [/^croner$/, /^src\/support\/cron\.ts$/],
  [/^@platformatic\/kafka$/, /^src\/adapters\/kafka\//],
  [/^(@bufbuild\/|@connectrpc\/|apache-arrow$)/, /^src\/adapters\/spark\//],
  [/^@aws-sdk\//, /^src\/adapters\/s3\//],
];

/** Words that only certain files of src may use. */
const HOMES: readonly { readonly word: RegExp; readonly home: RegExp; readonly what: string }[] = [
  { word: /\bprocess\s*\.\s*env\b/g, home: /^src\/config\.ts$/, what: "reads the environment" },
  {
    word: /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)|\bperformance\.now\b|\bhrtime\b|\bset(Timeout|Interval)\b|\bAbortSignal\.timeout\b/g,
    home: /^src\/support\/clock\.ts$/,
    what: "knows the time",
  },
  {
    word: /\bMath\.random\b|\brandom(UUID|Bytes|Int|FillSync)\b|\bgetRandomValues\b/g,
    home: /^src\/support\/chance\.ts$/,
    what: "knows chance",
  },
];

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const PARAMETERS_MAX = 3;

/** Imports go forward only; adapters are imported by assemble.ts and their own system, configuration from assemble.ts on. */
export const importsGoForward: Rule = (files) =>
  files.filter(isSource).flatMap((file) =>
    localImports(file).flatMap(({ path, line }) => {
      const [from, to] = [stageOf(file.path), stageOf(path)];
      if (from === -1) return [`${file.path}:${line}: this file is in no stage`];
      if (to === -1) return [`${file.path}:${line}: imports ${path}, which is in no stage`];
      if (to > from) return [`${file.path}:${line}: imports ${path}, which is of a later stage`];
      return isAdapter(path) && !mayImportAdapter(file.path, path)
        ? [`${file.path}:${line}: imports the adapter ${path}; only assemble.ts and the same system may`]
        : [];
    }),
  );

/** Heavy packages are used in their home only. */
export const packagesStayHome: Rule = (files) =>
  files
    .filter(isSource)
    .flatMap((file) =>
      importsOf(file).flatMap(({ from, line }) =>
        PACKAGE_HOMES.filter(([name, home]) => name.test(from) && !home.test(file.path)).map(
          ([, home]) => `${file.path}:${line}: imports ${from}, whose home is ${home.source}`,
        ),
      ),
    );

/** Environment, time and chance are each known to one file. */
export const onePlaceEach: Rule = (files) =>
  files
    .filter(isSource)
    .flatMap((file) =>
      HOMES.filter(({ home }) => !home.test(file.path)).flatMap(({ word, home, what }) =>
        matches(file, file.code, word).map(
          ({ line, text }) => `${file.path}:${line}: ${text} ${what}; only ${home.source} may`,
        ),
      ),
    );

/** No way around the type checker: no any, no !, no comment that silences it; tests may use !. */
export const typesAreKept: Rule = (files) =>
  files.flatMap((file) => [
    ...matches(file, file.code, /(?<=[:<|&,=([]\s*|\bas\s+)\bany\b(?!\s*[(:.])/g).map(
      ({ line }) => `${file.path}:${line}: any`,
    ),
    ...(isTest(file)
      ? []
      : matches(file, file.code, /(?<=[\w)\]])!(?=[.[;,)\s\]}])/g).map(
          ({ line }) => `${file.path}:${line}: !`,
        )),
    ...matches(file, file.comments, /@ts-(ignore|expect-error|nocheck)/g).map(
      ({ line, text }) => `${file.path}:${line}: ${text}`,
    ),
  ]);

/** Files, functions and parameter lists stay small. */
export const sizesAreSmall: Rule = (files) =>
  files.flatMap((file) => {
    const lines = file.text.split("\n").length - 1;
    const tooLong =
      lines > FILE_LINES_MAX ? [`${file.path}:1: ${lines} lines, at most ${FILE_LINES_MAX}`] : [];
    if (isTest(file)) return tooLong;
    const functions = functionsOf(file).flatMap(({ line, lines: length, parameters }) => [
      ...(length > FUNCTION_LINES_MAX
        ? [`${file.path}:${line}: a function of ${length} lines, at most ${FUNCTION_LINES_MAX}`]
        : []),
      ...(parameters > parametersMax(file, line)
        ? [`${file.path}:${line}: ${parameters} parameters, at most ${parametersMax(file, line)}`]
        : []),
    ]);
    return [...tooLong, ...functions];
  });

/** An options object for every row costs more than the row: a docstring that says "hot path" allows two more. */
function parametersMax(file: SourceFile, line: number): number {
  const above = file.text.split("\n").slice(Math.max(0, line - 6), line - 1);
  return /\bhot path\b/i.test(above.join("\n")) ? PARAMETERS_MAX + 2 : PARAMETERS_MAX;
}

/** Every file begins with a comment that says its charge. */
export const filesSayTheirCharge: Rule = (files) =>
  files
    .filter((file) => !/^(#![^\n]*\n)?\/\/ \S/.test(file.text))
    .map((file) => `${file.path}:1: the first line is no comment`);

/** Every export of src and services has a docstring, and no file passes on what others export. */
export const exportsAreExplained: Rule = (files) =>
  files.filter(isExplained).flatMap((file) => {
    const lines = file.text.split("\n");
    const codeLines = file.code.split("\n");
    return codeLines.flatMap((code, index) => {
      if (!code.startsWith("export ")) return [];
      if (/^export\s+(type\s+)?[{*]/.test(code)) return [`${file.path}:${index + 1}: passes on an export`];
      const isOverload =
        index > 0 && nameOf(code) !== undefined && nameOf(code) === nameOf(codeLines[index - 1] ?? "");
      return isOverload || (lines[index - 1] ?? "").trimEnd().endsWith("*/")
        ? []
        : [`${file.path}:${index + 1}: an export without a docstring`];
    });
  });

/** Every file of src, and every support file of the tests, is imported by another. */
export const nothingIsDead: Rule = (files) => {
  const imported = new Set(files.flatMap((file) => localImports(file).map(({ path }) => path)));
  const bySource = new Set(
    files.filter(isSource).flatMap((file) => localImports(file).map(({ path }) => path)),
  );
  return files
    .filter(({ path }) => {
      if (path.endsWith(".test.ts") || path.startsWith("bench/") || path === "services/main.ts") return false;
      if (!path.startsWith("src/")) return !imported.has(path) && !isNamedByPath(path, files);
      return !ENTRIES.test(path) && !bySource.has(path);
    })
    .map(({ path }) => `${path}:1: nothing imports it`);
};

/** File names are in kebab case. */
export const namesAreKebab: Rule = (files) =>
  files
    .filter(({ path }) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/.test(posix.basename(path)))
    .map(({ path }) => `${path}:1: the name is not in kebab case`);

function isSource({ path }: SourceFile): boolean {
  return path.startsWith("src/");
}

function isExplained({ path }: SourceFile): boolean {
  return path.startsWith("src/") || path.startsWith("services/");
}

function isTest({ path }: SourceFile): boolean {
  return path.startsWith("test/");
}

function isAdapter(path: string): boolean {
  return path.startsWith("src/adapters/");
}

function mayImportAdapter(from: string, adapter: string): boolean {
  return from === "src/assemble.ts" || systemOf(from) === systemOf(adapter);
}

/** `src/adapters/duckdb`, however deep the file is in it. */
function systemOf(path: string): string {
  return path.split("/").slice(0, 3).join("/");
}

function stageOf(path: string): number {
  return STAGES.findIndex((stage) => stage.test(path));
}

/** A child program of a test is started by its path, not imported. */
function isNamedByPath(path: string, files: readonly SourceFile[]): boolean {
  return files.some(
    (file) => isTest(file) && file.path !== path && file.codeAndStrings.includes(posix.basename(path)),
  );
}

function localImports(file: SourceFile): readonly { readonly path: string; readonly line: number }[] {
  return importsOf(file)
    .filter(({ from }) => from.startsWith(".") && from.endsWith(".ts"))
    .map(({ from, line }) => ({ path: posix.join(posix.dirname(file.path), from), line }));
}

function matches(
  file: SourceFile,
  layer: string,
  pattern: RegExp,
): readonly { readonly line: number; readonly text: string }[] {
  return [...layer.matchAll(pattern)].map((match) => ({
    line: lineAt(file.text, match.index),
    text: match[0],
  }));
}

function nameOf(code: string): string | undefined {
  return /^export (?:async )?function (\w+)/.exec(code)?.[1];
}
