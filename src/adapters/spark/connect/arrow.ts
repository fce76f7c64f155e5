// Arrow batches as rows. The library's own getters would round times to ms and decimals to numbers: this reads the buffers.

import { type Data, DataType, IntervalUnit, tableFromIPC, TimeUnit, Type, Vector } from "apache-arrow";
import { AtriumError } from "../../../support/errors.ts";
import { dateText, type SparkRow, type SparkValue } from "./values.ts";

/** Reads the value at an index. */
type Reader = (index: number) => SparkValue;

/** The rows of one Arrow IPC stream. @throws ENGINE_FAILED for a type that it does not know */
export function rowsOf(stream: Uint8Array): readonly SparkRow[] {
  return tableFromIPC(stream).batches.flatMap((batch) => {
    const readers = batch.data.children.map((column) => readerOf(column));
    return Array.from({ length: batch.numRows }, (_, row) => readers.map((read) => read(row)));
  });
}

function readerOf(data: Data): Reader {
  if (DataType.isNull(data.type)) return () => null;
  const read = valueReader(data);
  return data.nullCount === 0 ? read : (index) => (data.getValid(index) ? read(index) : null);
}

function valueReader(data: Data): Reader {
  const { type } = data;
  if (DataType.isBool(type) || DataType.isInt(type) || DataType.isFloat(type)) return plainReader(data);
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) {
    const bytes = bytesReader(data);
    return (index) => bytes(index).toString("utf8");
  }
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) {
    const bytes = bytesReader(data);
    return (index) => new Uint8Array(bytes(index));
  }
  if (DataType.isTimestamp(type) && type.unit === TimeUnit.MICROSECOND) return longReader(data);
  if (DataType.isDuration(type) && type.unit === TimeUnit.MICROSECOND) return longReader(data);
  if (DataType.isInterval(type) && type.unit === IntervalUnit.YEAR_MONTH) return intReader(data);
  if (DataType.isDate(type)) {
    const days = intReader(data);
    return (index) => dateText(days(index));
  }
  if (DataType.isDecimal(type)) return decimalReader(data, type.scale);
  return nestedReader(data);
}

function nestedReader(data: Data): Reader {
  const { type } = data;
  const [child] = data.children;
  if (DataType.isStruct(type)) {
    const fields = type.children.map(({ name }, place) => [name, readerOf(childOf(data, place))] as const);
    return (index) => Object.fromEntries(fields.map(([name, read]) => [name, read(index)]));
  }
  if (DataType.isList(type) && child !== undefined) return listReader(data, readerOf(child));
  if (DataType.isMap(type) && child !== undefined) {
    const [key, value] = [readerOf(childOf(child, 0)), readerOf(childOf(child, 1))];
    return listReader(data, (index) => [key(index), value(index)]);
  }
  throw unsupported(data);
}

/** Types whose getters are exact. */
function plainReader(data: Data): Reader {
  const vector = new Vector([data]);
  return (index) => {
    const value: unknown = vector.get(index);
    if (typeof value === "boolean" || typeof value === "number" || typeof value === "bigint") return value;
    throw unsupported(data);
  };
}

function bytesReader(data: Data): (index: number) => Buffer {
  const values: unknown = data.values;
  if (!(values instanceof Uint8Array)) throw unsupported(data);
  const all = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const span = spanReader(data);
  return (index) => all.subarray(...span(index));
}

function listReader(data: Data, item: Reader): Reader {
  const span = spanReader(data);
  return (index) => {
    const [from, to] = span(index);
    return Array.from({ length: to - from }, (_, place) => item(from + place));
  };
}

/** Where a value of changing length begins and ends. */
function spanReader(data: Data): (index: number) => [number, number] {
  const offsets: unknown = data.valueOffsets;
  if (!(offsets instanceof Int32Array || offsets instanceof BigInt64Array)) throw unsupported(data);
  return (index) => [Number(offsets[index] ?? 0), Number(offsets[index + 1] ?? 0)];
}

function longReader(data: Data): (index: number) => bigint {
  const values: unknown = data.values;
  if (!(values instanceof BigInt64Array)) throw unsupported(data);
  return (index) => values[index] ?? 0n;
}

function intReader(data: Data): (index: number) => number {
  const values: unknown = data.values;
  if (!(values instanceof Int32Array)) throw unsupported(data);
  return (index) => values[index] ?? 0;
}

/** 128 bits, the lowest 32 first, in two's complement. */
function decimalReader(data: Data, scale: number): Reader {
  const words: unknown = data.values;
  if (!(words instanceof Uint32Array)) throw unsupported(data);
  return (index) => {
    let bits = 0n;
    for (let word = 3; word >= 0; word -= 1) bits = (bits << 32n) | BigInt(words[index * 4 + word] ?? 0);
    return decimalText(BigInt.asIntN(128, bits), scale);
  };
}

function decimalText(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? "-" : "";
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function childOf(data: Data, place: number): Data {
  const child = data.children[place];
  if (child === undefined) throw unsupported(data);
  return child;
}

function unsupported({ type }: Data): AtriumError {
  return new AtriumError(
    "ENGINE_FAILED",
    `Spark gave a column of the Arrow type ${Type[type.typeId]}, which this client cannot read: cast it to string.`,
  );
}
