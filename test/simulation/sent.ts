// What a replay of raw files must send, by rules of its own: a line that is two numbers is a reading, another goes as it is.

import { SENSOR_TRAITS, SENSOR_TYPES } from "../../src/reading/terms.ts";

/** Key -> the messages of its file, in order, as text. */
export function readings(raw: Readonly<Record<string, string>>): ReadonlyMap<string, readonly string[]> {
  return new Map(
    Object.entries(raw).map(([path, text]) => {
      const [room = "", file = ""] = path.split("/");
      const type = SENSOR_TYPES.find((one) => `${SENSOR_TRAITS[one].fileName}.csv` === file);
      const lines = text.split("\n").slice(0, -1);
      return [`${room}:${type}`, lines.map((line) => messageOf(line, room, String(type)))];
    }),
  );
}

function messageOf(line: string, room: string, type: string): string {
  const parts = /^(-?\d+), (-?\d+(?:\.\d+)?)$/.exec(line);
  if (parts === null) return line;
  return `{"room":${JSON.stringify(room)},"sensor":"${type}","ts":${parts[1]},"value":${parts[2]}}`;
}
