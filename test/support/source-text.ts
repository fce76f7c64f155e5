// Reads TypeScript as text for the tidy test: blanks comments and strings, finds imports, functions and exports.
//
// It is no parser. Its limits: a regular expression is told from a division by the character before it; a function
// counts from its parameter list to the brace that closes its body, so arrow functions without braces have no length;
// no name may be `any`; a return type with a brace in it is skipped only where the brace follows `:`, `|`, `&`, `<`, `,`, `(` or `=>`.

/** A source file, cut in layers of the same length and lines. */
export interface SourceFile {
  /** Path below the root, with `/`. */
  readonly path: string;
  readonly text: string;
  /** Comments and what strings, templates and regular expressions hold are blank. */
  readonly code: string;
  /** Comments are blank. */
  readonly codeAndStrings: string;
  /** Everything but comments is blank. */
  readonly comments: string;
}

/** A function with a body. */
export interface FunctionSize {
  readonly line: number;
  readonly lines: number;
  readonly parameters: number;
}

type Layer = "code" | "string" | "comment";

/** Cuts a text in its layers. */
export function sourceFile(path: string, text: string): SourceFile {
  const layers = layersOf(text);
  const keep = (...wanted: readonly Layer[]): string =>
    text.replaceAll(/[^\n]/g, (char: string, at: number) =>
      wanted.includes(layers[at] ?? "code") ? char : " ",
    );
  return {
    path,
    text,
    code: keep("code"),
    codeAndStrings: keep("code", "string"),
    comments: keep("comment"),
  };
}

/** Line number of an index, from 1. */
export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < index; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}

/** What a file imports, statically or lazily, for its types or at run time. */
export function importsOf(file: SourceFile): readonly { readonly from: string; readonly line: number }[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|^import\s+)"([^"\n]+)"/gm;
  return [...file.codeAndStrings.matchAll(pattern)].map((match) => ({
    from: match[1] ?? "",
    line: lineAt(file.text, match.index),
  }));
}

/** A parenthesis behind one of these opens no parameter list. */
const KEYWORD_BEFORE = /\b(if|for|while|switch|catch|with|await)\s*$/;

/** All functions with a body in braces, and the parameters of arrow functions without. */
export function functionsOf(file: SourceFile): readonly FunctionSize[] {
  const code = file.code.replaceAll("=>", "\u21d2 ");
  const found: FunctionSize[] = [];
  for (let open = code.indexOf("("); open !== -1; open = code.indexOf("(", open + 1)) {
    if (KEYWORD_BEFORE.test(code.slice(Math.max(0, open - 10), open))) continue;
    const close = closing(code, open);
    const body = bodyStart(code, close + 1);
    if (body === undefined) continue;
    const end = code[body] === "{" ? closing(code, body) : body;
    found.push({
      line: lineAt(code, open),
      lines: lineAt(code, end) - lineAt(code, open) + 1,
      parameters: countItems(code.slice(open + 1, close)),
    });
  }
  return found;
}

/** Where the body begins after a parameter list: at its brace, or at the expression of an arrow; undefined for a call. */
function bodyStart(code: string, after: number): number | undefined {
  let at = skipBlank(code, after);
  if (code[at] === ":") at = skipType(code, at + 1);
  if (code[at] === "\u21d2") at = skipBlank(code, at + 1);
  else if (code[at] !== "{") return undefined;
  return at;
}

/** The index behind a return type: at `⇒`, at the brace of a body, or where it turns out to be no return type. */
function skipType(code: string, from: number): number {
  let last = ":";
  for (let at = from; at < code.length; at += 1) {
    const char = code[at] ?? "";
    if (/\s/.test(char)) continue;
    if (char === "{" && !":|&<,(\u21d2".includes(last)) return at;
    if ("\u21d2;)]},?=".includes(char)) return at;
    if ("{([".includes(char)) at = closing(code, at);
    else if (char === "<") at = closing(code, at);
    last = code[at] ?? "";
  }
  return code.length;
}

const PAIRS: Readonly<Record<string, string>> = { "(": ")", "{": "}", "[": "]", "<": ">" };

/** Index of the bracket that closes the one at `open`; the end of the text if none does. */
function closing(code: string, open: number): number {
  const opener = code[open] ?? "";
  const closer = PAIRS[opener] ?? "";
  let depth = 0;
  for (let at = open; at < code.length; at += 1) {
    if (code[at] === opener) depth += 1;
    else if (code[at] === closer) depth -= 1;
    if (depth === 0) return at;
  }
  return code.length - 1;
}

/** Items of a list, split at the commas that are in no bracket; a comma at the end counts for nothing. */
function countItems(list: string): number {
  let depth = 0;
  let items = 0;
  let hasText = false;
  for (const char of list) {
    if ("([{<".includes(char)) depth += 1;
    if (")]}>".includes(char)) depth -= 1;
    if (char === "," && depth === 0) {
      items += 1;
      hasText = false;
    } else if (!/\s/.test(char)) hasText = true;
  }
  return hasText ? items + 1 : items;
}

function skipBlank(code: string, from: number): number {
  let at = from;
  while (/\s/.test(code[at] ?? "")) at += 1;
  return at;
}

/** The layer of each character; quotes and the braces of `${…}` belong to the code. */
function layersOf(text: string): readonly Layer[] {
  const layers: Layer[] = Array.from({ length: text.length }, () => "code");
  /** For each open `${` the depth of braces outside of it. */
  const holes: number[] = [];
  let depth = 0;
  let isTemplate = false;
  let at = 0;
  const mark = (to: number, layer: Layer): void => {
    layers.fill(layer, at, to);
    at = to;
  };
  while (at < text.length) {
    if (isTemplate) {
      mark(templateEnd(text, at), "string");
      isTemplate = false;
      if (text[at] === "$") {
        holes.push(depth);
        depth += 1;
        at += 1;
      }
      at += 1;
      continue;
    }
    const char = text[at] ?? "";
    const two = text.slice(at, at + 2);
    if (two === "//") mark(endOf(text, "\n", at), "comment");
    else if (two === "/*") mark(endOf(text, "*/", at + 2) + 2, "comment");
    else {
      const isRegex = char === "/" && isRegexStart(text, at);
      at += 1;
      if (char === '"' || char === "'") mark(quoteEnd(text, at - 1), "string");
      if (isRegex) mark(regexEnd(text, at), "string");
      if (isRegex || char === '"' || char === "'") at += 1;
      if (char === "{") depth += 1;
      if (char === "}") depth -= 1;
      isTemplate = char === "`" || (char === "}" && holes.at(-1) === depth);
      if (isTemplate && char === "}") holes.pop();
    }
  }
  return layers;
}

function endOf(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from);
  return at === -1 ? text.length : at;
}

/** Index of the quote that closes the one at `open`. */
function quoteEnd(text: string, open: number): number {
  let at = open + 1;
  while (at < text.length && text[at] !== text[open] && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1;
  return at;
}

/** Index where a template's text ends: at its backtick or at `${`. */
function templateEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== "`" && text.slice(at, at + 2) !== "${") {
    at += text[at] === "\\" ? 2 : 1;
  }
  return at;
}

function isRegexStart(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 40), at).trimEnd();
  return before === "" || /[(,=:[!&|?{};+\-*%<>~^]$|\b(return|typeof|case|of|in)$/.test(before);
}

function regexEnd(text: string, from: number): number {
  let isInClass = false;
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "[") isInClass = true;
    else if (text[at] === "]") isInClass = false;
    else if (text[at] === "\n" || (text[at] === "/" && !isInClass)) return at;
  }
  return text.length;
}
