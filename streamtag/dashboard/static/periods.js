// Days and weeks by the clock on the wall: an hour or a day of them may be missing or be there twice.

const DAYS = { day: 1, week: 7, weeks: 28 };
const EARLIER = { day: 7, week: 4, weeks: 1 };
const HOUR = 3600;

const midnight = (date, days = 0) => new Date(date.getFullYear(), date.getMonth(), date.getDate() + days);
const seconds = (date) => date.getTime() / 1000;

// The day that `date` is in; the week from its Monday on; the four weeks that end with that week.
function firstDay(kind, date) {
  if (kind === "day") return midnight(date);
  const monday = midnight(date, -((date.getDay() + 6) % 7));
  return kind === "week" ? monday : midnight(monday, -21);
}

export function periodOf(kind, date) {
  const first = firstDay(kind, date);
  const [begin, end] = [seconds(first), seconds(midnight(first, DAYS[kind]))];
  const isNow = begin * 1000 <= Date.now() && Date.now() < end * 1000;
  return { begin, end, isNow, earlier: EARLIER[kind], title: title(kind, first) };
}

export function shifted(kind, date, step) {
  return midnight(date, step * DAYS[kind]);
}

// Where the columns begin and the last one ends, in Unix seconds.
export function edgesOf(kind, { begin, end }) {
  const first = new Date(1000 * begin);
  if (kind !== "day") return Array.from({ length: DAYS[kind] + 1 }, (_, days) => seconds(midnight(first, days)));
  return Array.from({ length: Math.round((end - begin) / HOUR) + 1 }, (_, hours) => begin + hours * HOUR);
}

// Puts `step` columns together.
export function merged(edges, labels, step) {
  if (step === 1) return { edges, labels };
  const begins = edges.slice(0, -1).filter((_, at) => at % step === 0);
  const sums = (counts) => begins.map((_, at) => counts.slice(at * step, (at + 1) * step).reduce((sum, count) => sum + count, 0));
  return { edges: [...begins, edges.at(-1)], labels: labels.map((each) => ({ ...each, counts: sums(each.counts) })) };
}

function title(kind, first) {
  const words = (date, more = {}) => date.toLocaleDateString([], { day: "numeric", month: "short", ...more });
  if (kind === "day") {
    const away = Math.round((midnight(new Date()) - first) / 86400000);
    return { 0: "Today", 1: "Yesterday" }[away] ?? words(first, { weekday: "short" });
  }
  return `${words(first)} to ${words(midnight(first, DAYS[kind] - 1))}`;
}
