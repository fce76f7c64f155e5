// The address of a Spark Connect server: sc://host:port/;name=value;… as all clients of Spark take it.

import { AtriumError } from "../../../support/errors.ts";
import { type Secret, secret } from "../../../support/secret.ts";

/** What an address says. */
export interface SparkAddress {
  readonly host: string;
  readonly port: number;
  /** A token is only ever sent by TLS. */
  readonly tls: boolean;
  readonly token: Secret | undefined;
  readonly userId: string | undefined;
  readonly sessionId: string | undefined;
  /** Sent as headers with every call: what the address names beyond the above. */
  readonly headers: Readonly<Record<string, string>>;
}

const DEFAULT_PORT = 15_002;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Reads an address. @throws CONFIG_INVALID */
export function parseAddress(remote: string): SparkAddress {
  const match = /^sc:\/\/(\[[0-9a-fA-F:.]+\]|[^\s/:;@]+)(?::(\d{1,5}))?(?:\/;?(.*))?$/.exec(remote);
  const port = Number(match?.[2] ?? DEFAULT_PORT);
  if (match === null || port < 1 || port > 65_535) {
    // The rest of the address may hold a token.
    throw invalid(`${remote.replace(/;.*/s, ";…")} is no address such as sc://host:15002`);
  }
  const given = new Map((match[3] ?? "").split(";").filter(Boolean).map(pairOf));
  const take = (name: string): string | undefined => {
    const value = given.get(name);
    given.delete(name);
    return value;
  };
  const token = take("token");
  const tls = flag(take("use_ssl"));
  const sessionId = take("session_id");
  if (token !== undefined && tls === false) throw invalid("a token needs TLS: leave out use_ssl=false");
  if (sessionId !== undefined && !UUID.test(sessionId)) throw invalid("session_id must be a UUID");
  const userId = take("user_id");
  take("user_agent");
  return {
    host: match[1] ?? "",
    port,
    tls: tls ?? token !== undefined,
    token: token === undefined ? undefined : secret(token),
    userId,
    sessionId,
    headers: Object.fromEntries(given),
  };
}

function pairOf(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw invalid("what follows the slash must be name=value;…");
  try {
    return [decodeURIComponent(text.slice(0, at)), decodeURIComponent(text.slice(at + 1))];
  } catch {
    throw invalid(`the value of ${text.slice(0, at)} is not percent-encoded`);
  }
}

function flag(value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (/^(true|false)$/i.test(value)) return value.toLowerCase() === "true";
  throw invalid("use_ssl must be true or false");
}

function invalid(what: string): AtriumError {
  return new AtriumError("CONFIG_INVALID", `The address of Spark is wrong: ${what}. Correct SPARK_REMOTE.`);
}
