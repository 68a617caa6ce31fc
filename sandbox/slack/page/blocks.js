// Blocks as HTML. `act(element, block, value, confirmed)` is called when somebody presses or chooses.

import { byId, el } from "/page/dom.js";
import { field, fieldValue, takesValue } from "/page/fields.js";
import { emoji, mrkdwnHtml, plainHtml, textHtml } from "/page/mrkdwn.js";

export function drawBlocks(blocks, context) {
  return blocks.map((block) => (DRAW[block.type] ?? unknown)(block, context));
}

const DRAW = {
  header: (block) => el("h3", { class: "b-header", html: plainHtml(block.text.text) }),
  divider: () => el("hr"),
  section: (block, context) => el("div", { class: "b-section" },
    el("div", { class: "b-text" },
      block.text ? el("div", { html: textHtml(block.text, context.world) }) : null,
      block.fields ? el("div", { class: "b-fields" }, block.fields.map((one) => el("div", { html: textHtml(one, context.world) }))) : null),
    block.accessory ? el("div", { class: "b-accessory" }, element(block.accessory, block, context)) : null),
  context: (block, context) => el("div", { class: "b-context" }, block.elements.map((one) => (
    one.type === "image" ? picture(one, "tiny") : el("span", { html: textHtml(one, context.world) })))),
  actions: (block, context) => el("div", { class: "b-actions" }, block.elements.map((one) => element(one, block, context))),
  image: (block) => el("figure", {}, block.title ? el("figcaption", {}, block.title.text) : null, picture(block, "large")),
  input: (block, context) => drawInput(block, context),
  markdown: (block, context) => el("div", { html: mrkdwnHtml(block.text.replace(/\*\*/g, "*"), context.world) }),
  rich_text: (block, context) => el("div", { class: "b-rich" }, block.elements.map((one) => rich(one, context))),
};

const unknown = (block) => el("div", { class: "b-unknown" }, `[${block.type}]`);

const picture = (one, size) => el("img", { class: size, src: one.image_url ?? "", alt: one.alt_text });

function drawInput(block, context) {
  const id = `f-${block.block_id}-${block.element.action_id}`;
  const held = context.values?.[block.block_id]?.[block.element.action_id];
  const error = context.errors?.[block.block_id];
  const changed = block.dispatch_action ? (event) => send(block.element, block, context, event) : () => {};
  return el("div", { class: `b-input${error ? " wrong" : ""}`, "data-block": block.block_id },
    el("label", { for: id }, emoji(block.label.text), block.optional ? el("span", { class: "optional" }, " (optional)") : null),
    field(block.element, held, context.world, changed, id),
    error ? el("p", { class: "error", role: "alert" }, error) : null,
    block.hint ? el("p", { class: "hint" }, emoji(block.hint.text)) : null);
}

function element(one, block, context) {
  if (one.type === "image") return picture(one, "side");
  if (one.type === "button") return button(one, block, context);
  if (one.type === "overflow") return overflow(one, block, context);
  if (!takesValue(one)) return unknown(one);
  const held = context.values?.[block.block_id]?.[one.action_id];
  return field(one, held, context.world, (event) => send(one, block, context, event), `f-${block.block_id}-${one.action_id}`);
}

const send = (one, block, context, event) => {
  const node = event.target.closest("[data-action]");
  return ask(one, context, () => context.act(one, block, fieldValue(one, node, context.world), true));
};

function button(one, block, context) {
  const press = async (event) => {
    const node = event.currentTarget;
    if (one.url) window.open(one.url, "_blank", "noopener");
    await ask(one, context, async () => {
      node.disabled = true;
      node.classList.add("waiting");
      await context.act(one, block, null, true);
      node.disabled = false;
      node.classList.remove("waiting");
    });
  };
  return el("button", { type: "button", class: `button ${one.style ?? ""}`, "aria-label": one.accessibility_label, onclick: press, html: plainHtml(one.text.text) });
}

function overflow(one, block, context) {
  const options = one.options.map((option) => el("option", { value: option.value }, emoji(option.text.text)));
  const changed = (event) => { const { value } = event.target; event.target.value = ""; return ask(one, context, () => context.act(one, block, value, true)); };
  return el("select", { class: "overflow", "aria-label": "More", onchange: changed }, el("option", { value: "" }, "⋯"), options);
}

// Ask first if the element has a confirm dialog; `go` runs if the person says yes.
function ask(one, context, go) {
  if (!one.confirm) return go();
  const { title, text, confirm, deny, style } = one.confirm;
  return confirmed(title.text, textHtml(text, context.world), confirm?.text ?? "Yes", deny?.text ?? "Cancel", style).then((yes) => (yes ? go() : undefined));
}

function confirmed(title, html, yes, no, style) {
  const dialog = byId("confirm");
  return new Promise((resolve) => {
    const end = (answer) => () => { dialog.close(); resolve(answer); };
    dialog.replaceChildren(
      el("header", {}, el("h2", { html: plainHtml(title) })),
      el("div", { class: "body", html }),
      el("footer", {}, el("button", { class: "button", onclick: end(false) }, emoji(no)),
        el("button", { class: `button ${style ?? "primary"}`, onclick: end(true) }, emoji(yes))));
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
  });
}

function rich(one, context) {
  const inner = () => (one.elements ?? []).map((part) => (part.elements ? rich(part, context) : richPart(part, context)));
  if (one.type === "rich_text_preformatted") return el("pre", {}, inner());
  if (one.type === "rich_text_quote") return el("blockquote", {}, inner());
  if (one.type === "rich_text_list") return el(one.style === "ordered" ? "ol" : "ul", {}, (one.elements ?? []).map((part) => el("li", {}, rich(part, context))));
  return el("div", {}, inner());
}

function richPart(part, context) {
  if (part.type === "emoji") return emoji(`:${part.name}:`);
  if (part.type === "user") return el("span", { html: mrkdwnHtml(`<@${part.user_id}>`, context.world) });
  if (part.type === "link") return el("a", { href: /^https?:/.test(part.url) ? part.url : null, target: "_blank", rel: "noopener" }, part.text ?? part.url);
  if (part.type === "date") return el("span", { html: mrkdwnHtml(`<!date^${part.timestamp}^${part.format}|${part.fallback ?? ""}>`, context.world) });
  const tag = part.style?.code ? "code" : part.style?.bold ? "b" : part.style?.italic ? "i" : part.style?.strike ? "s" : "span";
  return el(tag, {}, part.text ?? "");
}
