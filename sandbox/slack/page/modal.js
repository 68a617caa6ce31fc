// The open modal, and the Home: drawn anew only when the app (or an error) changed them, so that typing is not lost.

import { byId, el, post } from "/page/dom.js";
import { drawBlocks } from "/page/blocks.js";
import { fieldValue, takesValue } from "/page/fields.js";
import { emoji } from "/page/mrkdwn.js";

let shown = "";

const fields = (view) => view.blocks.filter((block) => block.type === "input");

function typed(view, world) {
  const values = {};
  for (const block of fields(view)) {
    const node = document.getElementById(`f-${block.block_id}-${block.element.action_id}`);
    if (node && takesValue(block.element)) values[`${block.block_id}/${block.element.action_id}`] = fieldValue(block.element, node, world);
  }
  return values;
}

export function drawModal(view, depth, world) {
  const dialog = byId("modal");
  if (!view) {
    shown = "";
    if (dialog.open) dialog.close();
    return;
  }
  const print = JSON.stringify([world.me, view.id, view.hash, view.errors]);
  if (print === shown) return;
  shown = print;
  const submit = async () => {
    const node = dialog.querySelector("[type=submit]");
    if (node) { node.disabled = true; node.classList.add("waiting"); }
    await post("submit", { person: world.me, values: typed(view, world) });
    if (node) { node.disabled = false; node.classList.remove("waiting"); }
  };
  const close = () => post("close", { person: world.me });
  const act = (element, block, value) => post("press", {
    person: world.me, view: "modal", button: `${block.block_id}/${element.action_id}`, value, confirm: true,
  });
  dialog.replaceChildren(el("form", { method: "dialog", novalidate: true, onsubmit: (event) => { event.preventDefault(); submit(); } },
    el("header", {}, el("h2", {}, emoji(view.title.text)), el("button", { type: "button", class: "cross", "aria-label": "Close", onclick: close }, "✕")),
    view.errors[""] ? el("p", { class: "error banner", role: "alert" }, view.errors[""]) : null,
    el("div", { class: "body" }, drawBlocks(view.blocks, { world, act, values: view.values, errors: view.errors })),
    el("footer", {},
      el("button", { type: "button", class: "button", onclick: close }, view.close ? emoji(view.close.text) : depth > 1 ? "Back" : "Cancel"),
      view.submit ? el("button", { type: "submit", class: "button primary" }, emoji(view.submit.text)) : null)));
  dialog.oncancel = (event) => { event.preventDefault(); close(); };
  if (!dialog.open) dialog.showModal();
  (dialog.querySelector(".wrong .field") ?? dialog.querySelector(".field"))?.focus();
}

let homeShown = "";

export function drawHome(view, world) {
  const print = JSON.stringify([world.me, view?.hash]);
  if (print === homeShown) return;
  homeShown = print;
  const act = (element, block, value) => post("press", {
    person: world.me, view: "home", button: `${block.block_id}/${element.action_id}`, value, confirm: true,
  });
  byId("home").replaceChildren(...(view ? drawBlocks(view.blocks, { world, act, values: view.values, errors: {} })
    : [el("p", { class: "empty" }, "This is the app's Home. The app has not put anything here yet.")]));
}
