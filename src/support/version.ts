// The version of this program, from the one place that holds it.

import packageJson from "../../package.json" with { type: "json" };

/** As in package.json: `1.2.3`. */
export const VERSION: string = packageJson.version;
