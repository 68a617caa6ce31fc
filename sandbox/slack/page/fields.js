// The elements that take a value: drawn as form controls, and read back as what the people API wants.

import { el } from "/page/dom.js";
import { toLocal, toUnix } from "/page/dates.js";
import { emoji } from "/page/mrkdwn.js";

const RESULT = {
  static_select: "selected_option", external_select: "selected_option", radio_buttons: "selected_option",
  multi_static_select: "selected_options", checkboxes: "selected_options", users_select: "selected_user",
  multi_users_select: "selected_users", channels_select: "selected_channel",
  conversations_select: "selected_conversation", datepicker: "selected_date", timepicker: "selected_time",
  datetimepicker: "selected_date_time",
};

const PLAIN = { datepicker: "date", timepicker: "time", datetimepicker: "datetime-local", email_text_input: "email", url_text_input: "url", number_input: "text" };

export const takesValue = (element) => element.type in RESULT || element.type.endsWith("_input");

const optionValue = (value) => (value && typeof value === "object" ? value.value : value);

// `held` is the entry of state.values; `changed` is called with the element after the person changed it.
export function field(element, held, world, changed, id) {
  const now = held ? held[RESULT[element.type] ?? "value"] : null;
  const common = { id, "data-action": element.action_id, placeholder: element.placeholder ? emoji(element.placeholder.text) : null };
  if (element.type === "plain_text_input" && element.multiline) {
    return el("textarea", { ...common, class: "field", rows: 4, maxlength: element.max_length, onchange: changed }, now ?? "");
  }
  if (element.type === "radio_buttons" || element.type === "checkboxes") return choices(element, now, changed, id);
  if (element.type.includes("select")) return menu(element, now, world, changed, common);
  const value = element.type === "datetimepicker" ? (now ? toLocal(now, world.zone) : "") : (now ?? "");
  return el("input", { ...common, class: "field", type: PLAIN[element.type] ?? "text", value, maxlength: element.max_length, onchange: changed });
}

function choices(element, now, changed, id) {
  const kind = element.type === "checkboxes" ? "checkbox" : "radio";
  const chosen = (Array.isArray(now) ? now : [now]).map(optionValue);
  const rows = element.options.map((option) => el("label", { class: "choice" },
    el("input", { type: kind, name: id, value: option.value, checked: chosen.includes(option.value), onchange: changed }),
    el("span", {}, emoji(option.text.text), option.description ? el("small", {}, emoji(option.description.text)) : null)));
  return el("div", { id, class: "choices", "data-action": element.action_id, role: kind === "radio" ? "radiogroup" : "group" }, rows);
}

function menu(element, now, world, changed, common) {
  const several = element.type.startsWith("multi_");
  const chosen = (Array.isArray(now) ? now : [now]).map(optionValue);
  const item = ([value, text]) => el("option", { value, selected: chosen.includes(value) }, emoji(text));
  const select = el("select", { ...common, class: "field", multiple: several, onchange: changed });
  if (!several) select.append(el("option", { value: "" }, common.placeholder ?? "Choose…"));
  for (const group of element.option_groups ?? []) {
    select.append(el("optgroup", { label: group.label.text }, group.options.map((option) => item([option.value, option.text.text]))));
  }
  select.append(...offered(element, world).map(item));
  return select;
}

function offered(element, world) {
  if (element.type.includes("users")) return Object.entries(world.names).map(([id, name]) => [id, `@${name}`]);
  if (element.type.includes("channels") || element.type.includes("conversations")) return Object.entries(world.channels).map(([id, name]) => [id, `#${name}`]);
  return (element.options ?? []).map((option) => [option.value, option.text.text]);
}

// What a drawn field holds, as the people API takes it.
export function fieldValue(element, node, world) {
  if (element.type === "radio_buttons") return node.querySelector("input:checked")?.value ?? "";
  if (element.type === "checkboxes") return [...node.querySelectorAll("input:checked")].map((box) => box.value);
  if (element.type.startsWith("multi_")) return [...node.selectedOptions].map((option) => option.value);
  if (element.type === "datetimepicker") return node.value ? toUnix(node.value, world.zone) : "";
  return node.value;
}
