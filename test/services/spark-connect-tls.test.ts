// The Spark Connect client by TLS and with a token, against a server of the test's own that refuses every call.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeCertificate } from "../../services/java.ts";
import { openSpark } from "../../src/adapters/spark/connect/session.ts";
import { secret } from "../../src/support/secret.ts";
import { temporaryFolder } from "../support/program.ts";
import { withoutServices } from "../support/services.ts";

// The certificate is made by Java's keytool.
const skip = await withoutServices("spark");

describe("the Spark Connect client by TLS", { skip }, () => {
  const seen: (string | undefined)[] = [];
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: Http2SecureServer;
  let ca = "";
  let address = "";

  before(async () => {
    folder = await temporaryFolder();
    const [keyStoreFile, certificateFile] = ["key.p12", "ca.pem"].map((name) => join(folder.path, name));
    await makeCertificate({
      keyStoreFile: keyStoreFile!,
      certificateFile: certificateFile!,
      password: "secret",
    });
    ca = readFileSync(certificateFile!, "utf8");
    server = createSecureServer({ pfx: readFileSync(keyStoreFile!), passphrase: "secret" });
    server.on("stream", (stream: ServerHttp2Stream, { authorization }) => {
      seen.push(authorization);
      stream.respond(
        {
          ":status": 200,
          "content-type": "application/grpc",
          "grpc-status": "16",
          "grpc-message": "no such token",
        },
        { endStream: true },
      );
    });
    server.on("sessionError", () => undefined);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    address = `sc://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server?.close();
    await folder?.[Symbol.asyncDispose]();
  });

  test("the token is sent, and a refusal is an error that does not show it", async () => {
    await using session = await openSpark({ remote: address, token: secret("hidden"), ca });
    await assert.rejects(session.query("select 1"), (error: Error & { code?: string }) => {
      assert.equal(error.code, "ENGINE_DENIED");
      assert.match(error.message, /no such token/);
      assert.doesNotMatch(error.message, /hidden/);
      return true;
    });
    assert.equal(seen[0], "Bearer hidden");
  });

  test("a server whose certificate is not trusted is sent nothing", async () => {
    seen.length = 0;
    await using session = await openSpark({ remote: `${address}/;token=hidden`, reconnectMsMax: 0 });
    await assert.rejects(session.query("select 1"), { code: "ENGINE_UNREACHABLE", message: /certificate/ });
    assert.deepEqual(seen, []);
  });
});
