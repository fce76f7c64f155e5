// /v1/rejected and /v1/rejected/reasons: the messages that are no readings, and how many there are of each reason.

import { Type } from "typebox";
import { messageText } from "../../reading/message-text.ts";
import { REJECTION_REASONS } from "../../reading/parse-message.ts";
import {
  answerList,
  cursorOf,
  LIST_HEADERS,
  LIST_PROBLEMS,
  listContent,
  rowsOf,
  type Row,
} from "../list-answer.ts";
import * as parameters from "../parameters.ts";
import { KEYS, reasonsQuery, rejectedQuery } from "../queries.ts";
import { sealRoute, type Api } from "../route.ts";
import { columnNames, oneOfTexts } from "../row-schemas.ts";
import { answerTagged, TAG_HEADERS } from "../tagged-answer.ts";

const COLUMNS = columnNames("bronze/rejected", ["ingest_date"]);
const REASONS = Object.keys(REJECTION_REASONS);

/** Schema of a rejected message. */
export const rejectedSchema = Type.Object(
  {
    topic: Type.String({ description: "With partition and offset its position in the log." }),
    partition: Type.Integer({ minimum: 0 }),
    offset: Type.Integer({ minimum: 0 }),
    log_ts: Type.String({ format: "date-time", description: "When it entered the log." }),
    ingest_ts: Type.String({ format: "date-time", description: "When bronze committed it." }),
    key: Type.Unsafe({ type: ["string", "null"], description: "Key of the message." }),
    value: Type.Unsafe({
      type: ["string", "object"],
      properties: { base64: { type: "string", format: "byte" } },
      description: "The message: as text if it is UTF-8, else its bytes as base64.",
    }),
    reason: oneOfTexts(REASONS, { description: "Why it is no reading." }),
    detail: Type.String({ description: "The same in words, with what was found." }),
  },
  { $id: "Rejected", title: "Rejected" },
);

/** Schema of a reason with its count. */
export const reasonSchema = Type.Object(
  {
    reason: oneOfTexts(REASONS),
    meaning: Type.String({ description: "The reason in words." }),
    nb_messages: Type.Integer({ minimum: 1 }),
  },
  { $id: "RejectedReason", title: "RejectedReason" },
);

const EXAMPLE: Row = {
  topic: "iot.co2",
  partition: 0,
  offset: 1234,
  log_ts: "2026-01-01T00:00:00Z",
  ingest_ts: "2026-01-01T00:00:10Z",
  key: "413:co2",
  value: "1377299108, nan",
  reason: "not_json",
  detail: "no JSON: 1377299108, nan",
};
const REASON_EXAMPLE: Row = { reason: "not_json", meaning: REJECTION_REASONS.not_json, nb_messages: 16 };
const FILTERS = {
  from: parameters.from,
  to: parameters.to,
  reason: parameters.reasons,
  topic: parameters.topics,
};

/** GET /v1/rejected. */
export const rejectedRoute = (api: Api) =>
  sealRoute({
    url: "/v1/rejected",
    operationId: "listRejected",
    tag: "operation",
    summary: "Messages that are no readings, and why.",
    description:
      "Messages in the order in which bronze took them in and of their positions; from and to are ingest times. " +
      "`atrium rejected redrive` moves those that are readings after a fix to bronze/readings: then they are no longer here.",
    parameters: { ...FILTERS, limit: parameters.limit, cursor: parameters.cursor },
    content: listContent(Type.Ref("Rejected#"), EXAMPLE, false),
    headers: LIST_HEADERS,
    problems: LIST_PROBLEMS,
    handle: async (call, values) => {
      const range = parameters.instantRange(values);
      const oneOf = { reason: values.reason, topic: values.topic };
      const { hash, cursor } = cursorOf(call, values, {
        keys: KEYS.rejected,
        filters: { ...range, ...oneOf },
      });
      const page = { after: cursor?.key, limit: values.limit };
      return answerList(api, call, {
        view: await api.tables.open("bronze/rejected"),
        keys: KEYS.rejected,
        hash,
        limit: values.limit,
        query: rejectedQuery(COLUMNS, { range, oneOf }, page),
        shape: withText,
      });
    },
  });

/** GET /v1/rejected/reasons. */
export const reasonsRoute = (api: Api) =>
  sealRoute({
    url: "/v1/rejected/reasons",
    operationId: "countRejected",
    tag: "operation",
    summary: "Rejected messages by reason.",
    parameters: FILTERS,
    content: {
      "application/json": {
        schema: Type.Object({ data: Type.Array(Type.Ref("RejectedReason#")) }),
        example: { data: [REASON_EXAMPLE] },
      },
    },
    headers: TAG_HEADERS,
    problems: [503],
    handle: async (call, values) => {
      const range = parameters.instantRange(values);
      const oneOf = { reason: values.reason, topic: values.topic };
      const view = await api.tables.open("bronze/rejected");
      const bounds = { timeoutMs: api.queryTimeoutMs, signal: call.signal };
      const query = reasonsQuery({ range, oneOf }, REASONS.length);
      const body = async () => ({ data: rowsOf(await view.query(query, bounds), withMeaning) });
      return answerTagged(api, call, { tags: [view.tag], view, body });
    },
  });

/** Bytes come as base64 from the engine. */
function withText(row: Row): Row {
  const { value } = row;
  if (typeof value !== "string") return row;
  const text = messageText(Buffer.from(value, "base64"));
  return { ...row, value: typeof text === "string" ? text : { ...text } };
}

function withMeaning({ reason = null, nb_messages = null }: Row): Row {
  const known = Object.entries(REJECTION_REASONS).find(([name]) => name === reason);
  return { reason, meaning: known?.[1] ?? "", nb_messages };
}
