// A message's bytes in JSON: as text where they are UTF-8, so that a person can read them, else as base64.

/** Text, or bytes that are none; both give back exactly the bytes. */
export type MessageText = string | { readonly base64: string };

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes for JSON. */
export function messageText(bytes: Uint8Array): MessageText {
  try {
    return utf8.decode(bytes);
  } catch {
    return { base64: Buffer.from(bytes).toString("base64") };
  }
}
