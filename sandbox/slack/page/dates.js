// Times as the person's own device would show them: everything takes an IANA zone.

const parts = (ms, zone) => {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, hourCycle: "h23",
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  return Object.fromEntries(format.formatToParts(ms).map((part) => [part.type, part.value]));
};

const named = (ms, zone, options) => new Intl.DateTimeFormat("en-US", { timeZone: zone, ...options }).format(ms);

export const day = (ms, zone) => { const p = parts(ms, zone); return `${p.year}-${p.month}-${p.day}`; };
export const clock = (ms, zone) => { const p = parts(ms, zone); return `${p.hour}:${p.minute}`; };
export const clockWithSeconds = (ms, zone) => `${clock(ms, zone)}:${parts(ms, zone).second}`;

const plainDate = (ms, zone) => named(ms, zone, { year: "numeric", month: "long", day: "numeric" });
const shortDate = (ms, zone) => named(ms, zone, { year: "numeric", month: "short", day: "numeric" });
const longDate = (ms, zone) => named(ms, zone, { weekday: "long", year: "numeric", month: "long", day: "numeric" });

function pretty(ms, zone, otherwise) {
  for (const [shift, word] of [[-1, "Yesterday"], [0, "Today"], [1, "Tomorrow"]]) {
    if (day(ms, zone) === day(Date.now() + shift * 86_400_000, zone)) return word;
  }
  return otherwise(ms, zone);
}

export const dayHeading = (ms, zone) => pretty(ms, zone, longDate);

function ago(ms) {
  const minutes = Math.round(Math.abs(Date.now() - ms) / 60_000);
  const text = minutes < 60 ? `${minutes} minutes` : minutes < 2880 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 1440)} days`;
  return ms > Date.now() ? `in ${text}` : `${text} ago`;
}

const TOKENS = {
  date_num: day,
  date: plainDate,
  date_short: shortDate,
  date_long: longDate,
  date_pretty: (ms, zone) => pretty(ms, zone, plainDate),
  date_short_pretty: (ms, zone) => pretty(ms, zone, shortDate),
  date_long_pretty: (ms, zone) => pretty(ms, zone, longDate),
  day_divider_pretty: dayHeading,
  time: clock,
  time_secs: clockWithSeconds,
  ago,
};

// `!date^UNIX^tokens^link|fallback` -> {text, link}
export function slackDate(inside, zone) {
  const [body, ...rest] = inside.split("|");
  const [, seconds, format, link] = body.split("^");
  if (!format || !/^-?\d+$/.test(seconds)) return { text: rest.join("|"), link };
  const ms = Number(seconds) * 1000;
  return { text: format.replace(/\{(\w+)\}/g, (all, name) => (TOKENS[name] ? TOKENS[name](ms, zone) : all)), link };
}

// "2026-12-01T17:00" on the person's clock -> Unix seconds, and back. Two steps settle a change of the clocks.
export function toUnix(local, zone) {
  const wanted = Date.parse(`${local}:00Z`);
  let guess = wanted;
  for (let step = 0; step < 2; step += 1) {
    guess = wanted - (Date.parse(`${day(guess, zone)}T${clockWithSeconds(guess, zone)}Z`) - guess);
  }
  return Math.round(guess / 1000);
}

export const toLocal = (seconds, zone) => `${day(seconds * 1000, zone)}T${clock(seconds * 1000, zone)}`;
