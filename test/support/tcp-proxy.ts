// A TCP proxy for tests of broken connections: cuts them when so many bytes have come back from the server.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A running proxy. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** How many connections it has cut. */
  readonly cuts: number;
  /** Cuts the connection when so many more bytes have come back, that many times. */
  cutAfter(bytes: number, times: number): void;
}

/** Starts a proxy to a port of this machine. */
export async function tcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let [bytesLeft, bytesEach, timesLeft, cuts] = [0, 0, 0, 0];
  const isTimeToCut = (bytes: number): boolean => {
    bytesLeft -= bytes;
    if (timesLeft === 0 || bytesLeft > 0) return false;
    [bytesLeft, timesLeft, cuts] = [bytesEach, timesLeft - 1, cuts + 1];
    return true;
  };
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end).on("close", end);
    }
    client.pipe(upstream);
    upstream.on("data", (chunk: Buffer) => {
      if (isTimeToCut(chunk.length)) end();
      else client.write(chunk);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts;
    },
    cutAfter: (bytes, times) => {
      [bytesLeft, bytesEach, timesLeft] = [bytes, bytes, times];
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
