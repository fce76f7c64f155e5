// How the plain listener of a broker is reached.

import type { KafkaAccess } from "../../src/log/kafka-access.ts";

/** Access without TLS or a login. */
export function plainAccess(...bootstrap: readonly string[]): KafkaAccess {
  return {
    bootstrap,
    security: "plaintext",
    saslMechanism: "plain",
    username: undefined,
    password: undefined,
    caFile: undefined,
    certFile: undefined,
    keyFile: undefined,
  };
}
