// Colours that tell more from less by lightness alone, so that everybody can read them.

import { isDark } from "./format.js";

const DARK = [[13, 18, 27], [34, 42, 92], [42, 94, 138], [37, 146, 140], [96, 200, 120], [248, 236, 130]];
const LIGHT = [[255, 255, 255], [216, 229, 246], [142, 182, 226], [63, 124, 190], [32, 73, 138], [16, 28, 66]];

function ramp(stops) {
  const table = new Uint8Array(256 * 3);
  for (let step = 0; step < 256; step += 1) {
    const position = (step / 255) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(position));
    for (let part = 0; part < 3; part += 1) {
      table[3 * step + part] = stops[low][part] + (position - low) * (stops[low + 1][part] - stops[low][part]);
    }
  }
  return table;
}

const tables = { dark: ramp(DARK), light: ramp(LIGHT) };

export function colours() {
  return isDark() ? tables.dark : tables.light;
}

export function colour(table, step) {
  return `rgb(${table[3 * step]} ${table[3 * step + 1]} ${table[3 * step + 2]})`;
}

export function variable(name) {
  return getComputedStyle(document.body).getPropertyValue(name).trim();
}
