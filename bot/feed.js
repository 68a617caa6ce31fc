// Shows announced maintenance at the top of a page, in the viewer's own time zone. One line is all that it takes:
//
//   <script src="https://maint.example.com/feed/maintenance.js" async></script>
//
// It reads maintenance.json from beside itself. Options: data-days="7" (how long ahead a notice is shown).
// The look can be changed by rules for .maint-notice with !important.
(() => {
  "use strict";

  const script = document.currentScript || document.querySelector('script[src*="maintenance.js"]');
  if (!script || !script.src || document.documentElement.hasAttribute("data-maint")) return;
  document.documentElement.setAttribute("data-maint", "");

  const FEED = new URL("maintenance.json", script.src).href;
  const AHEAD_MS = (Number(script.dataset.days) || 7) * 86400e3;
  const REFRESH_MS = 60e3;
  const DRAW_MS = 10e3;
  const TRUSTED_MS = 15 * 60e3; // what was read longer ago may not be true any more
  const CANCELLED_MS = 24 * 3600e3;
  const MOST = 3;
  const STORE = "maint-dismissed";

  let notices = [];
  let readAt = -Infinity;
  let triedAt = -Infinity;
  let box = null;
  const rows = new Map(); // by key: what is on the page now
  const dismissed = new Set(stored());

  function stored() {
    try {
      const keys = JSON.parse(localStorage.getItem(STORE) || "[]");
      return Array.isArray(keys) ? keys : [];
    } catch {
      return []; // no storage here: a dismissal lasts as long as the page
    }
  }

  function dismiss(key) {
    dismissed.add(key);
    try {
      localStorage.setItem(STORE, JSON.stringify([...dismissed].slice(-20)));
    } catch {
      // as above
    }
    draw();
  }

  // Anything that is not as documented is left out, so that a broken feed shows nothing.
  function read(raw) {
    if (!raw || raw.version !== 1 || !Array.isArray(raw.maintenances)) return [];
    return raw.maintenances.map(one).filter(Boolean);
  }

  function one(raw) {
    const [start, end, updated] = [raw?.start, raw?.end, raw?.updated].map((text) => Date.parse(text));
    const texts = [raw?.id, raw?.title, raw?.status, raw?.impact];
    if (![start, end, updated].every(Number.isFinite) || !texts.every((text) => typeof text === "string")) return null;
    const changes = Array.isArray(raw.changes) ? raw.changes.map((change) => change?.what) : [];
    const { id, title, status, impact } = raw;
    const key = [id, status === "verifying" ? "in_progress" : status, start, end].join(" ");
    return { id, title, status, impact, start, end, updated, url: webAddress(raw.url), changes, key };
  }

  function webAddress(text) {
    try {
      const url = new URL(text);
      return url.protocol === "https:" || url.protocol === "http:" ? url.href : "";
    } catch {
      return "";
    }
  }

  function isShown(notice, now) {
    if (dismissed.has(notice.key)) return false;
    switch (notice.status) {
      case "scheduled":
        return notice.start - now <= AHEAD_MS && now < notice.end;
      case "in_progress":
      case "verifying":
        return true;
      case "cancelled":
        // Who has seen the notice should see that it is off; not before it was to be seen, and not for ever.
        return now < notice.end && now - notice.updated < CANCELLED_MS && notice.start - now <= AHEAD_MS;
      default:
        return false;
    }
  }

  const order = (notice) => ({ in_progress: 0, verifying: 0, scheduled: 1 })[notice.status] ?? 2;

  const CLOCK = { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" };
  const inZone = new Intl.DateTimeFormat(undefined, { ...CLOCK, timeZoneName: "short" });
  const inWords = new Intl.RelativeTimeFormat(undefined, { numeric: "always" });

  function ahead(ms) {
    const minutes = Math.max(1, Math.ceil(ms / 60e3));
    if (minutes < 90) return inWords.format(minutes, "minute");
    if (minutes < 36 * 60) return inWords.format(Math.round(minutes / 60), "hour");
    return inWords.format(Math.round(minutes / 1440), "day");
  }

  // What is said, and, apart from it since it changes all the time, the countdown.
  function words(notice, now) {
    const when = inZone.formatRange(notice.start, notice.end);
    const changed = notice.changes.findLast?.((what) => what === "moved" || what === "extended");
    switch (notice.status) {
      case "scheduled":
        return {
          head: changed === "moved" ? "Maintenance has moved" : "Scheduled maintenance",
          text: `${when}.`,
          count: now < notice.start ? `Begins ${ahead(notice.start - now)}.` : "Begins shortly.",
        };
      case "in_progress":
        return {
          head: "Maintenance in progress",
          text: `${changed === "extended" ? "It takes longer, until" : "Until"} ${inZone.format(notice.end)}.`,
          count: now < notice.end ? `Ends ${ahead(notice.end - now)}.` : "It takes longer than planned.",
        };
      case "verifying":
        return { head: "Maintenance almost over", text: "The work is done and is being checked.", count: "" };
      default:
        return { head: "Maintenance cancelled", text: `It will not take place: ${when}.`, count: "" };
    }
  }

  function element(name, style, parent) {
    const made = document.createElement(name);
    made.style.cssText = style;
    parent.append(made);
    return made;
  }

  function row(notice) {
    const made = document.createElement("div");
    made.className = "maint-notice";
    made.style.cssText =
      "display:flex;gap:1em;align-items:flex-start;justify-content:center;padding:.6em 1em;" +
      "background:#fff4ce;color:#3b2f00;border-bottom:1px solid #c9b458;" +
      "font:15px/1.4 system-ui,sans-serif;text-align:left";
    const text = element("div", "flex:0 1 60em", made);
    // Screen readers say a status as it changes; the countdown beside it would make them talk without end.
    const said = element("span", "", text);
    said.setAttribute("role", "status");
    const parts = {
      // A title from right to left leaves the times behind it in their own order.
      head: element("strong", "unicode-bidi:isolate", said),
      text: element("span", "", said),
      count: element("span", "", text),
      link: element("a", "color:inherit;text-decoration:underline", text),
    };
    parts.count.setAttribute("aria-hidden", "true");
    const close = element("button", "all:unset;cursor:pointer;padding:0 .4em;font-size:1.2em;outline:revert", made);
    close.type = "button";
    close.textContent = "×";
    close.setAttribute("aria-label", "Dismiss this notice");
    close.addEventListener("click", () => dismiss(rows.get(notice.id)?.key));
    return { made, parts, key: notice.key };
  }

  function fill({ parts }, notice, now) {
    const { head, text, count } = words(notice, now);
    const impact = notice.impact && notice.status !== "cancelled" ? ` ${notice.impact}` : "";
    // Text only, never markup: whatever somebody wrote into a title stays what it says.
    put(parts.head, `${head}: ${notice.title}. `);
    put(parts.text, `${text}${impact} `);
    put(parts.count, `${count} `);
    put(parts.link, notice.url ? "More about it" : "");
    parts.link.hidden = !notice.url;
    if (notice.url) parts.link.href = notice.url;
  }

  function put(where, text) {
    if (where.textContent !== text) where.textContent = text;
  }

  function draw() {
    const now = Date.now();
    const known = now - readAt < TRUSTED_MS ? notices : [];
    const shown = known
      .filter((notice) => isShown(notice, now))
      .sort((a, b) => order(a) - order(b) || a.start - b.start)
      .slice(0, MOST);
    for (const [id, { made }] of rows) {
      if (!shown.some((notice) => notice.id === id)) {
        made.remove();
        rows.delete(id);
      }
    }
    if (!box && shown.length) {
      box = document.createElement("section");
      box.setAttribute("aria-label", "Maintenance");
    }
    // Also when the page has drawn itself anew, and thrown the notice away with the rest.
    if (box && !box.isConnected) document.body.prepend(box);
    for (const notice of shown) {
      const there = rows.get(notice.id) || row(notice);
      there.key = notice.key;
      rows.set(notice.id, there);
      // An empty status first, and its words once it is on the page: else a screen reader does not say them.
      if (!there.made.isConnected) box.append(there.made);
      fill(there, notice, now);
    }
    if (box && !rows.size) {
      box.remove();
      box = null;
    }
  }

  async function refresh() {
    triedAt = Date.now();
    try {
      // `no-cache` asks whether it has changed (ETag) instead of trusting the browser's own copy.
      const answer = await fetch(FEED, { cache: "no-cache", credentials: "omit", referrerPolicy: "no-referrer" });
      if (!answer.ok) return;
      notices = read(await answer.json());
      readAt = Date.now();
    } catch {
      // Not reached: what was read last is shown for a while, and nothing if nothing ever was.
    } finally {
      draw();
    }
  }

  function tick() {
    if (document.hidden) return;
    if (Date.now() - triedAt >= REFRESH_MS) refresh();
    else draw();
  }

  function begin() {
    refresh();
    setInterval(tick, DRAW_MS);
    document.addEventListener("visibilitychange", tick);
  }

  if (document.body) begin();
  else document.addEventListener("DOMContentLoaded", begin);
})();
