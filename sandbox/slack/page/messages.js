// The message list: each message is a node kept by its ts and drawn again only when it has changed.

import { byId, el, post } from "/page/dom.js";
import { drawBlocks } from "/page/blocks.js";
import { clock, clockWithSeconds, day, dayHeading } from "/page/dates.js";
import { emojiNamed, mrkdwnHtml } from "/page/mrkdwn.js";

const SYSTEM = new Set(["channel_join", "channel_topic", "pinned_item", "tombstone"]);
const drawn = new Map();
let place = "";

export function drawMessages(channel, world) {
  const list = byId("list");
  list.onscroll = () => { following = isAtBottom(list); };
  const key = `${world.me}/${channel.id}`;
  if (place !== key) { drawn.clear(); list.replaceChildren(); }
  const replies = Map.groupBy(channel.messages.filter(isReply), (message) => message.thread_ts);
  const wanted = [];
  let before = null;
  for (const message of channel.messages.filter((one) => !isReply(one) || one.subtype === "thread_broadcast")) {
    const ms = Number(message.ts) * 1000;
    if (!before || day(Number(before.ts) * 1000, world.zone) !== day(ms, world.zone)) wanted.push(heading(ms, world));
    wanted.push(kept(message, replies.get(message.ts) ?? [], before, channel, world));
    before = message;
  }
  placeAll(list, wanted);
  if (place !== key) following = true;
  follow(list);
  place = key;
}

// Only the reader's own scrolling ends the following: a growing pinned card or preview moves the bottom, not the reader.
let following = true;

const follow = (list) => { if (following) list.scrollTop = list.scrollHeight; };

const isAtBottom = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 60;

const isReply = (message) => message.thread_ts && message.thread_ts !== message.ts;

// Put `wanted` into the list without touching nodes that are in place: what somebody is choosing stays open.
function placeAll(list, wanted) {
  const stays = new Set(wanted);
  for (const node of [...list.children]) if (!stays.has(node)) node.remove();
  wanted.forEach((node, index) => { if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null); });
}

const headings = new Map();

function heading(ms, world) {
  const key = `${day(ms, world.zone)} ${dayHeading(ms, world.zone)}`;
  if (!headings.has(key)) headings.set(key, el("div", { class: "day" }, el("span", {}, dayHeading(ms, world.zone))));
  return headings.get(key);
}

function kept(message, replies, before, channel, world) {
  const follows = before && before.user === message.user && !SYSTEM.has(before.subtype) && !before.is_ephemeral === !message.is_ephemeral
    && Number(message.ts) - Number(before.ts) < 300;
  const print = JSON.stringify([message, replies, follows]);
  const old = drawn.get(message.ts);
  if (old && old.print === print) return old.node;
  const node = drawMessage(message, channel, world, follows);
  if (replies.length) node.querySelector(".words").append(el("div", { class: "thread" }, replies.map((reply) => drawMessage(reply, channel, world, false))));
  if (old && node.isConnected === false && old.node.isConnected) old.node.replaceWith(node);
  drawn.set(message.ts, { print, node });
  return node;
}

export function drawMessage(message, channel, world, follows) {
  const ms = Number(message.ts) * 1000;
  const stamp = el("time", { title: clockWithSeconds(ms, world.zone) }, clock(ms, world.zone));
  if (SYSTEM.has(message.subtype)) {
    return el("article", { class: "message system", id: `m-${message.ts}` }, stamp, el("div", { class: "words", html: mrkdwnHtml(message.text, world) }));
  }
  const name = message.is_notice ? "Slackbot" : message.author;
  const badge = message.bot_id ? el("span", { class: "badge" }, "APP") : null;
  const top = follows ? null : el("div", { class: "who" }, el("b", {}, name), badge, stamp);
  return el("article", { class: `message${follows ? " follows" : ""}${message.is_ephemeral ? " ephemeral" : ""}${message.pinned_to ? " is-pinned" : ""}`, id: `m-${message.ts}` },
    follows ? el("div", { class: "gutter" }, stamp) : avatar(name, world.colours[message.user]),
    el("div", { class: "words" },
      message.is_ephemeral ? el("p", { class: "only" }, "👁 Only visible to you") : null,
      message.pinned_to ? el("p", { class: "only pin" }, "📌 Pinned") : null,
      top, ...body(message, channel, world)));
}

export const avatar = (name, colour) => el("div", { class: "avatar", style: `background:#${colour ?? "616061"}` }, name.slice(0, 1).toUpperCase());

export function body(message, channel, world) {
  const act = (element, block, value) => post("press", {
    person: world.me, channel: channel.id, button: element.action_id, on: message.ts, value, confirm: true,
  });
  const context = { world, act, values: message.values };
  const edited = message.edited ? el("small", { class: "edited" }, " (edited)") : null;
  const parts = message.blocks?.length ? drawBlocks(message.blocks, context)
    : message.text ? [el("div", { html: mrkdwnHtml(message.text, world) }, edited)] : [];
  for (const one of message.attachments ?? []) parts.push(attachment(one, context));
  for (const file of message.files ?? []) parts.push(fileCard(file));
  if (message.reactions?.length) parts.push(el("div", { class: "reactions" }, message.reactions.map((one) => el("span", { title: one.users.map((user) => world.names[user]).join(", ") }, emojiNamed(one.name), ` ${one.count}`))));
  return parts;
}

function attachment(one, context) {
  const colour = /^#?[0-9a-f]{6}$/i.test(one.color ?? "") ? `#${one.color.replace("#", "")}` : { good: "#2eb67d", warning: "#ecb22e", danger: "#e01e5a" }[one.color] ?? "#ddd";
  return el("div", { class: "attachment", style: `border-color:${colour}` },
    one.pretext ? el("div", { html: mrkdwnHtml(one.pretext, context.world) }) : null,
    one.title ? el("b", {}, one.title) : null,
    one.text ? el("div", { html: mrkdwnHtml(one.text, context.world) }) : null,
    ...drawBlocks(one.blocks ?? [], context));
}

function fileCard(file) {
  const path = new URL(file.url_private).pathname;
  const size = file.size < 1024 ? `${file.size} bytes` : `${Math.round(file.size / 1024)} KB`;
  const card = el("div", { class: "file" }, el("a", { href: path, target: "_blank" }, `📄 ${file.title}`), el("small", {}, ` ${file.name} · ${size}`));
  if (file.mimetype.startsWith("image/")) card.append(el("img", { class: "large", src: path, alt: file.title }));
  if (file.mimetype.startsWith("text/")) {
    const preview = el("pre", { class: "preview" });
    fetch(path).then((response) => response.text()).then((text) => {
      preview.textContent = text.split("\n").slice(0, 8).join("\n").slice(0, 800);
      follow(byId("list"));
    });
    card.append(preview);
  }
  return card;
}
