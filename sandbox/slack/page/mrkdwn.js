// Slack's mrkdwn as HTML. Order matters: code first (nothing in it is marked up), then <...>, then what is left.

import { escaped } from "/page/dom.js";
import { slackDate } from "/page/dates.js";

const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", hourglass_flowing_sand: "⏳", hourglass: "⌛",
  wrench: "🔧", hammer_and_wrench: "🛠️", construction: "🚧", tada: "🎉", red_circle: "🔴", large_green_circle: "🟢",
  large_yellow_circle: "🟡", large_orange_circle: "🟠", large_blue_circle: "🔵", white_circle: "⚪", black_circle: "⚫",
  double_vertical_bar: "⏸️", arrow_forward: "▶️", fast_forward: "⏩", black_right_pointing_triangle: "▶️",
  arrow_right: "➡️", arrow_left: "⬅️", arrow_up: "⬆️", arrow_down: "⬇️", leftwards_arrow_with_hook: "↩️", rewind: "⏪",
  repeat: "🔁", arrows_counterclockwise: "🔄", stop_button: "⏹️", octagonal_sign: "🛑", no_entry: "⛔",
  no_entry_sign: "🚫", lock: "🔒", unlock: "🔓", key: "🔑", bell: "🔔", mega: "📣", loudspeaker: "📢", calendar: "📅",
  spiral_calendar_pad: "🗓️", clock1: "🕐", alarm_clock: "⏰", stopwatch: "⏱️", timer_clock: "⏲️", mag: "🔍", memo: "📝",
  pencil: "✏️", pencil2: "✏️", clipboard: "📋", page_facing_up: "📄", bar_chart: "📊", chart_with_upwards_trend: "📈",
  floppy_disk: "💾", elephant: "🐘", rocket: "🚀", fire: "🔥", zap: "⚡", boom: "💥", rotating_light: "🚨",
  question: "❓", grey_question: "❔", exclamation: "❗", information_source: "ℹ️", bulb: "💡", eyes: "👀",
  "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", raised_hand: "✋", hand: "✋", wave: "👋", clap: "👏",
  pray: "🙏", muscle: "💪", point_right: "👉", smile: "😄", slightly_smiling_face: "🙂", cry: "😢", sweat_smile: "😅",
  heart: "❤️", star: "⭐", sparkles: "✨", broom: "🧹", test_tube: "🧪", package: "📦", link: "🔗", pushpin: "📌",
  computer: "💻", globe_with_meridians: "🌐", envelope: "✉️", email: "📧", speech_balloon: "💬", robot_face: "🤖",
  checkered_flag: "🏁", triangular_flag_on_post: "🚩", black_square_for_stop: "⏹️", heavy_minus_sign: "➖",
  ballot_box_with_check: "☑️", white_large_square: "⬜", black_large_square: "⬛", bust_in_silhouette: "👤", busts_in_silhouette: "👥",
  one: "1️⃣", two: "2️⃣", three: "3️⃣", four: "4️⃣", five: "5️⃣",
};

export const emoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (all, name) => EMOJI[name] ?? all);

export const emojiNamed = (name) => EMOJI[name] ?? `:${name}:`;

// `text` of a plain_text object -> safe HTML
export const plainHtml = (text) => emoji(escaped(text)).replace(/\n/g, "<br>");

// A topic is plain text in which Slack makes bare addresses into links.
export const topicHtml = (text) => plainHtml(text).replace(/https?:\/\/[^\s<&]+/g, (url) => `<a href="${url}" target="_blank" rel="noopener">${url}</a>`);

// mrkdwn -> safe HTML. `world` has zone, names (user id -> name), groups (id -> handle), channels (id -> name), me.
export function mrkdwnHtml(text, world) {
  const kept = [];
  const keep = (html) => `\u0000${kept.push(html) - 1}\u0000`;
  let out = text.replaceAll("\u0000", "");
  out = out.replace(/```\n?([\s\S]*?)\n?```/g, (_, code) => keep(`<pre>${entities(code)}</pre>`));
  out = out.replace(/`([^`\n]+)`/g, (_, code) => keep(`<code>${entities(code)}</code>`));
  out = out.replace(/<([^<>\n]+)>/g, (_, inside) => keep(control(inside, world)));
  out = entities(out);
  out = out.split("\n").map((line) => (/^&gt; ?/.test(line) ? keep(`<blockquote>`) + line.replace(/^&gt; ?/, "") + keep("</blockquote>") : line)).join("\n");
  for (const [mark, tag] of [["*", "b"], ["_", "i"], ["~", "s"]]) out = marked(out, mark, tag);
  out = emoji(out).replace(/\n/g, "<br>");
  while (/\u0000\d+\u0000/.test(out)) out = out.replace(/\u0000(\d+)\u0000/g, (_, index) => kept[Number(index)]);
  return out.replaceAll("</blockquote><br>", "</blockquote>").replaceAll("</pre><br>", "</pre>");
}

// The three entities that apps send stay; every other < > & becomes one.
const entities = (text) => text.replace(/&(?!(amp|lt|gt);)/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

function marked(text, mark, tag) {
  const sign = `\\${mark}`;
  const pattern = new RegExp(`(?<![\\w${sign}])${sign}(?=\\S)([^\\n]*?\\S)${sign}(?![\\w${sign}])`, "g");
  return text.replace(pattern, `<${tag}>$1</${tag}>`);
}

function control(inside, world) {
  if (inside.startsWith("!date^")) {
    const { text, link } = slackDate(inside, world.zone);
    const shown = `<time title="${escaped(inside.split("|").slice(1).join("|"))}">${escaped(text)}</time>`;
    return link && /^https?:/.test(link) ? `<a href="${escaped(link)}" target="_blank" rel="noopener">${shown}</a>` : shown;
  }
  const [target, ...rest] = inside.split("|");
  const label = rest.join("|");
  if (target.startsWith("@")) return mention(`@${world.names[target.slice(1)] ?? (label || target.slice(1))}`, target.slice(1) === world.me);
  if (target.startsWith("#")) return mention(`#${world.channels[target.slice(1)] ?? (label || target.slice(1))}`);
  if (target.startsWith("!subteam^")) return mention(`@${world.groups[target.slice(9)] ?? (label || "group")}`);
  if (target.startsWith("!")) return mention(label || `@${target.slice(1)}`);
  if (!/^(https?:|mailto:)/.test(target)) return entities(`<${inside}>`);
  return `<a href="${escaped(target.replaceAll("&amp;", "&"))}" target="_blank" rel="noopener">${emoji(entities(label || target.replace(/^mailto:/, "")))}</a>`;
}

const mention = (text, isMe = false) => `<span class="mention${isMe ? " me" : ""}">${escaped(text)}</span>`;

// A text object of either kind -> safe HTML
export const textHtml = (object, world) => (object.type === "mrkdwn" ? mrkdwnHtml(object.text, world) : plainHtml(object.text));
