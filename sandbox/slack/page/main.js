// The page: who I am, which channel is open, and a loop that draws what changes.

import { byId, el, post, toast } from "/page/dom.js";
import { clock } from "/page/dates.js";
import { avatar, body, drawMessages } from "/page/messages.js";
import { drawHome, drawModal } from "/page/modal.js";
import { topicHtml } from "/page/mrkdwn.js";

const HOME = "home";
const state = { people: [], groups: [], bots: [], commands: [], me: null, channel: "", screen: null, pinOpen: true };
let looking = null;

const zone = () => state.me.zone || "UTC";

function world() {
  const bots = Object.fromEntries(state.bots.map((bot) => [bot.id, bot.name]));
  return {
    me: state.me.id,
    zone: zone(),
    names: { ...Object.fromEntries(state.people.map((person) => [person.id, person.name])), ...bots, USLACKBOT: "Slackbot" },
    colours: { ...Object.fromEntries(state.people.map((person) => [person.id, person.colour])), ...Object.fromEntries(state.bots.map((bot) => [bot.id, "4a154b"])) },
    groups: Object.fromEntries(state.groups.map((group) => [group.id, group.handle])),
    channels: Object.fromEntries(state.screen.channels.filter((one) => !one.is_im).map((one) => [one.id, one.name])),
  };
}

function remember() {
  history.replaceState(null, "", `/#${state.me.name}/${state.channel}`);
}

function drawSwitcher() {
  byId("switcher").replaceChildren(...state.people.map((person) => el("button", {
    role: "tab", "aria-selected": String(person.id === state.me.id), class: "person", title: `${person.real_name}, ${person.zone || "no zone"}`,
    onclick: () => go(person, state.channel),
  }, avatar(person.name, person.colour), el("span", {}, person.real_name, el("small", {}, ` ${clock(Date.now(), person.zone || "UTC")}`)))));
}

function drawSide() {
  const item = (id, text, extra = "") => el("button", { class: `room${state.channel === id ? " open" : ""}${extra}`, onclick: () => go(state.me, id) }, text);
  const rooms = state.screen.channels;
  byId("side").replaceChildren(
    el("h2", {}, "Channels"), ...rooms.filter((one) => !one.is_im).map((one) => item(one.id, `# ${one.name}`, one.is_archived ? " old" : "")),
    el("h2", {}, "Direct messages"), ...rooms.filter((one) => one.is_im).map((one) => item(one.id, one.name)),
    el("h2", {}, "Apps"), item(HOME, `⌂ ${state.bots[0].name} Home`));
}

function drawPinned(channel) {
  const box = byId("pinned");
  box.hidden = !channel?.pins.length;
  if (box.hidden) return;
  const print = JSON.stringify([channel.pins, state.me.id, state.pinOpen]);
  if (box.dataset.print === print) return;
  box.dataset.print = print;
  const toggle = () => { state.pinOpen = !state.pinOpen; drawPinned(channel); };
  const label = `📌 ${channel.pins.length} pinned`;
  box.replaceChildren(el("button", { class: "toggle", "aria-expanded": String(state.pinOpen), onclick: toggle }, `${label} ${state.pinOpen ? "▾" : "▸"}`),
    ...(state.pinOpen ? channel.pins.slice(0, 1).map((pin) => el("div", { class: "card" }, ...body(pin, channel, world()))) : []));
}

function draw(screen) {
  state.screen = screen;
  const atHome = state.channel === HOME;
  const room = screen.channels.find((one) => one.id === state.channel);
  byId("title").textContent = atHome ? state.bots[0].name : room ? (room.is_im ? room.name : `# ${room.name}`) : "";
  byId("topic").innerHTML = topicHtml(atHome ? "App Home" : room?.topic ?? `${state.me.real_name} is not in this channel.`);
  byId("home").hidden = !atHome;
  byId("list").hidden = atHome;
  byId("composer").hidden = atHome || !room || room.is_archived;
  byId("words").placeholder = room ? `Message ${room.is_im ? room.name : `#${room.name}`}, or type ${state.commands[0] ?? "/"}` : "";
  drawSide();
  drawPinned(atHome ? null : screen.channel);
  if (screen.channel) drawMessages(screen.channel, world());
  else byId("list").replaceChildren();
  scrollToLinked();
  if (atHome) drawHome(screen.home, world());
  drawModal(screen.modal, screen.modal_depth, world());
}

// A permalink (/archives/CHANNEL/pTS) leads to its message, once.
let linked = location.pathname.match(/^\/archives\/([A-Z0-9]+)(?:\/p(\d+)(\d{6}))?/);

function scrollToLinked() {
  const node = linked?.[2] && byId(`m-${linked[2]}.${linked[3]}`);
  if (!node) return;
  node.scrollIntoView({ block: "center" });
  node.classList.add("linked");
  linked = null;
}

async function look() {
  looking?.abort();
  const mine = new AbortController();
  looking = mine;
  let since = -1;
  while (looking === mine) {
    const query = new URLSearchParams({ person: state.me.id, since, wait: since < 0 ? 0 : 20 });
    if (state.channel !== HOME) query.set("channel", state.channel);
    try {
      const response = await fetch(`/_people/sees?${query}`, { signal: mine.signal });
      const screen = await response.json();
      if (!response.ok) throw new Error(screen.error);
      if (looking === mine && screen.revision !== since) draw(screen);
      since = screen.revision;
    } catch (error) {
      if (mine.signal.aborted) return;
      toast(`Trying to reach the workspace: ${error.message}`);
      await new Promise((resolve) => { setTimeout(resolve, 1000); });
    }
  }
}

function go(person, channel) {
  const opened = channel === HOME && (state.channel !== HOME || state.me !== person);
  state.me = person;
  state.channel = channel;
  remember();
  drawClock();
  drawSwitcher();
  if (opened) post("home", { person: person.id });
  look();
}

async function say(event) {
  event.preventDefault();
  const box = byId("words");
  const text = box.value.trim();
  if (!text) return;
  box.value = "";
  byId("composer").classList.add("waiting");
  await post("say", { person: state.me.id, channel: state.channel, text });
  byId("composer").classList.remove("waiting");
  byId("list").scrollTop = byId("list").scrollHeight;
}

function drawClock() {
  byId("clock").textContent = `${clock(Date.now(), zone())} ${zone()}`;
}

async function start() {
  const there = await (await fetch("/_people")).json();
  Object.assign(state, there);
  byId("workspace").textContent = there.team.name;
  document.title = there.team.name;
  const [name, channel] = location.hash.slice(1).split("/");
  byId("composer").addEventListener("submit", say);
  byId("words").addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey) say(event); });
  go(there.people.find((person) => person.name === name) ?? there.people[0], channel || linked?.[1] || there.channel);
  setInterval(() => { drawClock(); drawSwitcher(); }, 20_000);
}

start();
