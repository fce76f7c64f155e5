// The connection of one session: HTTP/2 with or without TLS, the token, and the fields that every call has in common.

import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { uniqueId } from "../../../support/chance.ts";
import { type Clock, systemClock } from "../../../support/clock.ts";
import type { Secret } from "../../../support/secret.ts";
import { VERSION } from "../../../support/version.ts";
import { parseAddress, type SparkAddress } from "./address.ts";
import { SparkConnectService } from "./proto/spark/connect/base_pb.ts";

/** How to reach a server. */
export interface SparkOptions {
  /** `sc://host:port/;name=value;…`: use_ssl, token, user_id, session_id, and headers of your own. */
  readonly remote: string;
  /** Sent as `authorization: Bearer …`, by TLS only; instead of the address's token. */
  readonly token?: Secret;
  /** The certificate to trust (PEM), if it is not one of the machine's. */
  readonly ca?: string;
  /** Default: `atrium`. Sessions of different users are apart. */
  readonly userId?: string;
  /** A UUID; default: a new one. Give a known one to come back to its views and streams. */
  readonly sessionId?: string;
  /** How long a broken connection is tried again without any answer, ms; default 30,000. 0: not at all. */
  readonly reconnectMsMax?: number;
  /** True: parameters are written into the SQL text, for servers whose Delta breaks parameters. */
  readonly literalParameters?: boolean;
  readonly clock?: Clock;
}

/** What every call carries. */
export interface CallFields {
  readonly sessionId: string;
  readonly userContext: { readonly userId: string; readonly userName: string };
  readonly clientType: string;
  /** So that a server that lost the session in between says so, instead of beginning a new one. */
  readonly clientObservedServerSideSessionId?: string;
}

/** One session's connection. */
export interface Link {
  readonly client: Client<typeof SparkConnectService>;
  readonly remote: string;
  readonly sessionId: string;
  readonly clock: Clock;
  readonly reconnectMsMax: number;
  fields(): CallFields;
  /** Takes note of the server's own id of the session. */
  observe(serverSideSessionId: string): void;
  /** Takes what goes on beside the answer (releases); errors in it do not matter. */
  beside(work: Promise<unknown>): void;
  /** Waits for what goes on beside, and ends the connection. */
  close(): Promise<void>;
}

/** Calls that only tidy up wait no longer for an answer. */
export const SIDE_CALL_MS_MAX = 10_000;
const READ_BYTES_MAX = 256 * 1024 * 1024;
const RECONNECT_MS_MAX = 30_000;

/** Prepares a connection: nothing is sent yet. @throws CONFIG_INVALID for a wrong address */
export function openLink(options: SparkOptions): Link {
  const address = parseAddress(options.remote);
  const token = options.token ?? address.token;
  const isSecure = address.tls || token !== undefined;
  const baseUrl = `${isSecure ? "https" : "http"}://${address.host}:${address.port}`;
  const tls = isSecure && options.ca !== undefined ? { ca: options.ca } : {};
  const sessionManager = new Http2SessionManager(baseUrl, {}, tls);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    readMaxBytes: READ_BYTES_MAX,
    interceptors: [headersOf(address, token)],
  });
  const sessionId = options.sessionId ?? address.sessionId ?? uniqueId();
  const userId = options.userId ?? address.userId ?? "atrium";
  const pending = new Set<Promise<unknown>>();
  let observed: string | undefined;
  return {
    client: createClient(SparkConnectService, transport),
    remote: `${address.host}:${address.port}`,
    sessionId,
    clock: options.clock ?? systemClock,
    reconnectMsMax: options.reconnectMsMax ?? RECONNECT_MS_MAX,
    fields: () => ({
      sessionId,
      userContext: { userId, userName: userId },
      clientType: `atrium/${VERSION}`,
      ...(observed === undefined ? {} : { clientObservedServerSideSessionId: observed }),
    }),
    observe: (serverSideSessionId) => {
      if (serverSideSessionId !== "") observed = serverSideSessionId;
    },
    beside: (work) => {
      const ended: Promise<unknown> = work.catch(() => undefined).finally(() => pending.delete(ended));
      pending.add(ended);
    },
    close: async () => {
      await Promise.all(pending);
      sessionManager.abort();
    },
  };
}

function headersOf({ headers }: SparkAddress, token: Secret | undefined): Interceptor {
  return (next) => async (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    if (token !== undefined) request.header.set("authorization", `Bearer ${token.reveal()}`);
    return next(request);
  };
}
