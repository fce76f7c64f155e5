// What there is in the building, as schemas.

import { Type } from "typebox";
import { SENSOR_TYPES } from "../../reading/terms.ts";
import { oneOfTexts, sensorTypesSchema } from "../row-schemas.ts";

/** Schema of a room. */
export const roomSchema = Type.Object(
  {
    room: Type.String({ description: "Room, as its raw folder or message names it." }),
    first_date: Type.String({ format: "date", description: "UTC day of its first reading." }),
    last_date: Type.String({ format: "date", description: "UTC day of its newest reading." }),
    sensor_types: sensorTypesSchema("Sensor types with readings."),
    nb_readings: Type.Integer({ minimum: 0, description: "Readings, those that are not valid included." }),
  },
  { $id: "Room", title: "Room" },
);

/** Schema of a sensor. */
export const sensorSchema = Type.Object(
  {
    sensor_id: Type.String({ description: "room-sensor_type." }),
    room: Type.String(),
    sensor_type: oneOfTexts(SENSOR_TYPES),
    unit: Type.String({ description: "Unit of its values." }),
  },
  { $id: "Sensor", title: "Sensor" },
);

/** Schema of a sensor type. */
export const sensorTypeSchema = Type.Object(
  {
    sensor_type: oneOfTexts(SENSOR_TYPES),
    aliases: Type.Array(Type.String(), { description: "Other names that parameters accept." }),
    unit: Type.String(),
    min: Type.Number({ description: "Smallest plausible value." }),
    min_is_plausible: Type.Boolean({ description: "False if min itself is out of range." }),
    max: Type.Number({ description: "Largest plausible value." }),
    integer: Type.Boolean({ description: "True if only whole numbers are plausible." }),
    sample_period_seconds: Type.Number({ description: "Time between two samples of a healthy sensor." }),
  },
  { $id: "SensorType", title: "SensorType" },
);
