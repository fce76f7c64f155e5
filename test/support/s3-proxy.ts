// A proxy between a client and an S3 gateway that makes requests fail in the ways that networks and stores do.

import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of a request. */
export type Fate =
  /** It goes through. */
  | "pass"
  /** It is done, and its answer is lost with the connection. */
  | "lose answer"
  /** It is done, and its answer never comes. */
  | "hold answer"
  /** It is not done, and the connection breaks. */
  | "break"
  /** It is done, or refused, and the answer says that it is done: a store that knows no conditions. */
  | "say done"
  /** The answer stops in the middle. */
  | "cut"
  /** It goes through when something else has happened. */
  | { readonly after: () => Promise<void> }
  /** The store answers so, and does nothing. */
  | { readonly status: number; readonly code: string; readonly body?: string };

/** A request as a rule sees it. */
export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

/** A running proxy. */
export interface S3Proxy extends AsyncDisposable {
  readonly endpoint: string;
  /** Decides over every request from now on. */
  rule(decide: (seen: Seen) => Fate): void;
  /** Requests that came, and what became of them. */
  readonly seen: (Seen & { readonly fate: Fate })[];
  /** The most requests that were under way at once. */
  readonly atOnceMax: () => number;
  /** Resolves when an answer is held the next time. */
  nextHeld(): Promise<void>;
}

/**
 * Starts a proxy in front of `target`. It leaves the host alone, which is signed. `delayMs` is how far away a benchmark wants
 * the store to be; tests want none.
 */
export async function s3Proxy(target: string, { delayMs = 0 } = {}): Promise<S3Proxy> {
  let decide: (seen: Seen) => Fate = () => "pass";
  const seen: S3Proxy["seen"] = [];
  const waiting: (() => void)[] = [];
  let [atOnce, most] = [0, 0];
  const held = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  const server = createServer((incoming, outgoing) => {
    const asked = { method: incoming.method ?? "", url: incoming.url ?? "", headers: incoming.headers };
    const fate = decide(asked);
    seen.push({ ...asked, fate });
    atOnce += 1;
    most = Math.max(most, atOnce);
    outgoing.on("close", () => (atOnce -= 1));
    const onward = { target, fate, held };
    if (typeof fate === "object" && "after" in fate) {
      void fate.after().then(() => forward(incoming, outgoing, onward));
    } else if (typeof fate === "object") refuse(incoming, outgoing, fate);
    else if (fate === "break") incoming.socket.destroy();
    else if (delayMs === 0) forward(incoming, outgoing, onward);
    else setTimeout(() => forward(incoming, outgoing, onward), delayMs);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    rule: (next) => (decide = next),
    seen,
    atOnceMax: () => most,
    nextHeld: async () => new Promise((resolve) => waiting.push(resolve)),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function refuse(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { status, code, body }: Extract<Fate, { readonly status: number }>,
): void {
  incoming.resume();
  incoming.on("end", () => {
    const error = `<Error><Code>${code}</Code><Message>says the proxy</Message></Error>`;
    outgoing
      .writeHead(status, { "content-type": "application/xml" })
      .end(`<?xml version="1.0" encoding="UTF-8"?>${body ?? error}`);
  });
}

function forward(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { target, fate, held }: { readonly target: string; readonly fate: Fate; readonly held: () => void },
): void {
  const { hostname, port } = new URL(target);
  const { method, url, headers } = incoming;
  const onward = request({ hostname, port, method, path: url, headers, agent: false }, (answer) => {
    if (fate === "lose answer" || fate === "hold answer") {
      answer.resume();
      answer.on("end", () => (fate === "hold answer" ? held() : incoming.socket.destroy()));
      return;
    }
    if (fate === "say done") {
      answer.resume();
      answer.on("end", () => outgoing.writeHead(200, { etag: '"x"' }).end());
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    if (fate !== "cut") {
      answer.pipe(outgoing);
      return;
    }
    answer.once("data", (chunk: Buffer) => {
      outgoing.write(chunk.subarray(0, 1), () => incoming.socket.destroy());
    });
  });
  onward.on("error", () => incoming.socket.destroy());
  incoming.pipe(onward);
}
