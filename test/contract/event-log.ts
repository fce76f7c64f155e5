// CONTRACT of the EventLog port: what every adapter does alike.

import { describe } from "node:test";
import type { LogFactory } from "./event-log-fixture.ts";
import { ageCases, fullnessCases, positionCases, waitingCases } from "./event-log-limits.ts";
import {
  appendingCases,
  orderCases,
  progressCases,
  readingCases,
  recordCases,
  topicCases,
} from "./event-log-reading.ts";

/** Runs the suite on the logs of a factory. */
export function eventLogContract(factory: LogFactory): void {
  describe(`EventLog: ${factory.name}`, () => {
    describe("topics", () => topicCases(factory));
    describe("order", () => orderCases(factory));
    describe("reading", () => readingCases(factory));
    describe("appending", () => appendingCases(factory));
    describe("what records may be", () => recordCases(factory));
    describe("progress", () => progressCases(factory));
    describe("waiting", () => waitingCases(factory));
    describe("positions", () => positionCases(factory));
    if (!factory.hasRetention) return;
    describe("a full log", () => fullnessCases(factory));
    describe("age", () => ageCases(factory));
  });
}
