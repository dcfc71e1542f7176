// The nodes of a fleet, above the wall of its streams: how each fares, and how full it is.

import { make } from "./format.js";

export function showNodes(table, nodes) {
  table.hidden = !nodes.length;
  table.tBodies[0].replaceChildren(...nodes.map(row));
}

function row({ name, state, streams, room, patches, dropped_patches: dropped, reason }) {
  const line = make("tr");
  const numbers = [streams, room, patches, dropped].map((count) => make("td", "st-number", count.toLocaleString("en")));
  line.append(make("td", "", name), make("td", "", state), ...numbers, make("td", "", reason));
  return line;
}
