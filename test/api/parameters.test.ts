// Parameters: each with its bounds, and messages that name the parameter, what was given and what is allowed.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Value } from "typebox/value";
import * as parameters from "../../src/api/parameters.ts";
import { readParameters, schemaOf, type ParameterSpec } from "../../src/api/query-string.ts";
import { isAtriumError } from "../../src/support/errors.ts";

const SPEC = {
  from: parameters.from,
  to: parameters.to,
  room: parameters.rooms,
  sensor_type: parameters.sensorTypes,
  quality: parameters.quality,
  limit: parameters.limit,
  cursor: parameters.cursor,
  format: parameters.format,
};

function problems(query: Readonly<Record<string, unknown>>, spec: ParameterSpec = SPEC): unknown {
  try {
    readParameters(spec, query);
  } catch (error) {
    if (isAtriumError(error, "PARAMETER_INVALID")) return error.details["problems"];
    throw error;
  }
  return [];
}

describe("reading a query string", () => {
  test("what is absent has its default", () => {
    assert.deepEqual(readParameters(SPEC, {}), {
      from: undefined,
      to: undefined,
      room: [],
      sensor_type: [],
      quality: [],
      limit: 1000,
      cursor: undefined,
      format: undefined,
    });
  });

  test("lists are repeated or separated by commas, aliases are names, letter case does not count, doubles count once", () => {
    const values = readParameters(SPEC, {
      room: ["413, 415", "413"],
      sensor_type: "Temp,motion",
      quality: "ok",
      limit: "7",
      format: "CSV",
    });
    assert.deepEqual(
      [values.room, values.sensor_type, values.quality, values.limit, values.format],
      [["413", "415"], ["temperature", "pir"], ["OK"], 7, "csv"],
    );
  });

  test("every problem is told at once, by name, with what was given and what is allowed", () => {
    assert.deepEqual(
      problems({
        from: "yesterday",
        limit: "0",
        sensor_type: "co3",
        quality: "fine",
        format: "xml",
        room: "413,",
        form: "1",
      }),
      [
        {
          parameter: "form",
          message:
            "There is no parameter form: this path takes from, to, room, sensor_type, quality, limit, cursor, format. Did you mean from?",
        },
        {
          parameter: "from",
          message:
            'from is "yesterday": expected a date such as 2013-08-23 or a time such as 2013-08-23T08:00:00Z, of the years 1 to 9999.',
        },
        { parameter: "room", message: "room has an empty value: leave it out to mean all." },
        {
          parameter: "sensor_type",
          message:
            'sensor_type is "co3": expected one of co2, humidity, hum, rh, luminosity, light, pir, motion, temperature, temp.',
        },
        { parameter: "quality", message: 'quality is "fine": expected one of OK, MISSING, OUT_OF_RANGE.' },
        { parameter: "limit", message: 'limit is "0": expected a whole number from 1 to 10000.' },
        { parameter: "format", message: 'format is "xml": expected one of json, csv.' },
      ],
    );
  });

  test("a single value given twice, too many values and too long ones are refused", () => {
    const many = Array.from({ length: 101 }, (_, index) => String(index));
    assert.deepEqual(problems({ from: ["2013-08-23", "2013-08-24"] }), [
      { parameter: "from", message: "from is given 2 times: once is allowed." },
    ]);
    assert.deepEqual(problems({ room: many.join(",") }), [
      { parameter: "room", message: "room has 101 values: at most 100 are allowed." },
    ]);
    assert.equal((problems({ room: "x".repeat(101), cursor: "a".repeat(2001) }) as unknown[]).length, 2);
    assert.deepEqual(problems({ limit: ["1", "2"] }), [
      { parameter: "limit", message: "limit is given 2 times: once is allowed." },
    ]);
  });

  test("limits are whole numbers within their bounds", () => {
    for (const limit of ["1", "10000"]) assert.deepEqual(problems({ limit }), []);
    for (const limit of ["0", "10001", "-1", "1.5", "1e3", " 1", "", "x", "99999999999999999999"]) {
      assert.equal((problems({ limit }) as unknown[]).length, 1, limit);
    }
  });

  test("a required parameter that is absent is named", () => {
    assert.deepEqual(problems({}, { date: parameters.requiredDate }), [
      { parameter: "date", message: "date is required." },
    ]);
  });

  test("a parameter's name from the prototype of objects is as unknown as any", () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      const query = Object.fromEntries([[name, "1"]]);
      assert.equal((problems(query) as unknown[]).length, 1, name);
    }
  });

  test("a path without parameters says so", () => {
    assert.deepEqual(problems({ a: "1" }, {}), [
      { parameter: "a", message: "There is no parameter a: this path takes none." },
    ]);
  });
});

describe("the schema", () => {
  const schema = schemaOf(SPEC).properties;
  const single = ["limit", "format", "cursor"] as const;

  test("of a single value allows what is read, and nothing else", () => {
    const texts = fc.oneof(
      fc.string(),
      fc.integer({ min: -10, max: 20_000 }).map(String),
      fc.constantFrom("json", "csv", "JSON "),
    );
    fc.assert(
      fc.property(fc.constantFrom(...single), texts, (name, text) => {
        const value = name === "limit" && /^\d+$/.test(text) ? Number(text) : text;
        const isAllowed = Value.Check(schema[name]!, value);
        const isRead = (problems({ [name]: text }) as unknown[]).length === 0;
        // Reading is kinder than the schema: it takes capitals.
        if (isAllowed) assert.equal(isRead, true, `${name}=${text}`);
        else if (name !== "format") assert.equal(isRead, false, `${name}=${text}`);
      }),
    );
  });

  test("of lists allows only what is read", () => {
    const values = fc.array(fc.constantFrom("413", "room 1", " x", "a,b", "co2", "temp", "OK", ""), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(fc.constantFrom("room", "sensor_type", "quality"), values, (name, list) => {
        if (!Value.Check(schema[name]!, list)) return;
        assert.deepEqual(problems({ [name]: list }), []);
      }),
    );
  });
});

describe("ranges", () => {
  test("a day as from begins with it, a day as to ends with it, moments are as they are", () => {
    const { from, to } = readParameters(SPEC, { from: "2013-08-23", to: "2013-08-23" });
    assert.deepEqual(parameters.instantRange({ from, to }), {
      from: "2013-08-23T00:00:00.000000Z",
      before: "2013-08-24T00:00:00.000000Z",
    });
    const moments = readParameters(SPEC, { from: "2013-08-23T08:00:00Z", to: "2013-08-23T08:00:01Z" });
    assert.deepEqual(parameters.instantRange(moments), {
      from: "2013-08-23T08:00:00.000000Z",
      before: "2013-08-23T08:00:01.000000Z",
    });
  });

  test("a range in which nothing lies is refused", () => {
    for (const [from, to] of [
      ["2013-08-24", "2013-08-23"],
      ["2013-08-23T08:00:00Z", "2013-08-23T08:00:00Z"],
      ["2013-08-24T00:00:00Z", "2013-08-23"],
    ]) {
      assert.throws(() => parameters.instantRange(readParameters(SPEC, { from, to })), {
        code: "PARAMETER_INVALID",
        message: /^to ends at .* and from starts at /,
      });
    }
    assert.throws(() => parameters.dateRange({ from: "2013-08-24", to: "2013-08-23" }), {
      code: "PARAMETER_INVALID",
    });
    assert.deepEqual(parameters.dateRange({ from: "2013-08-23", to: "2013-08-23" }), {
      from: "2013-08-23",
      to: "2013-08-23",
    });
  });
});
