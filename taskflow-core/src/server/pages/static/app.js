// What pages can do with a script: they follow the engine, forms open as dialogs, keys work. Every
// page is complete without it.
"use strict";
(() => {
const root = document.documentElement;
const $ = (query, of = document) => of.querySelector(query);
const $$ = (query, of = document) => [...of.querySelectorAll(query)];
const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };
// The server reads what was chosen, so that the first paint is right.
const choose = (name, value) => { document.cookie = `${name}=${value}; Path=/; Max-Age=31536000; SameSite=Lax`; };
const nextOf = (all, value) => all[(all.indexOf(value) + 1) % all.length];

// --- Theme
const theme = () => {
  const next = nextOf(["system", "light", "dark"], root.dataset.theme || "system");
  if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
  choose("theme", next);
};

// --- HTML of our own server is the only one that becomes elements.
const policy = window.trustedTypes?.createPolicy("taskflow", { createHTML: html => html });
const parse = html => new DOMParser().parseFromString(policy?.createHTML(html) ?? html, "text/html");

// --- Morph: makes an element like another one, and keeps what the person does with it.
// Focus, caret and scroll stay because elements stay; typed text stays because only the attributes
// of fields change; folds stay as they are; a block with selected text waits. The cells of a grid
// are told apart by their links, so that a cell stays that of its run when columns move.
const zoomed = new WeakMap();
let later = false, selected;
const key = node => node.nodeType !== 1 ? ""
  : node.id || node.dataset?.key || (node.matches(".grid td,.grid th") && $("a", node)?.href) || "";
// The browser lays the page out to answer whether something is selected, so it is asked once.
const frozen = node => selected && node.nodeType === 1 && node.matches("tr,p,pre,li,dl,h1,h2,article")
  && getSelection().containsNode(node, true);
const USED = "tbody:is(:hover,:focus-within),.grid:is(:hover,:focus-within)";
const columns = grid => grid.rows[0].cells.length + $$("thead a", grid).join();
const attributes = (old, now) => {
  for (const name of old.getAttributeNames()) {
    if (!now.hasAttribute(name) && !/^(open|data-keep)$/.test(name)) old.removeAttribute(name);
  }
  for (const { name, value } of now.attributes) {
    const own = name === "open" || (name === "viewBox" && zoomed.has(old));
    if (!own && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
};
const morph = (old, now) => {
  if (old.isEqualNode(now)) return;
  if (old.nodeType !== 1) { old.nodeValue = now.nodeValue; return; }
  if (frozen(old)) { later = true; return; }
  if (old.matches(".grid") && old.matches(USED) && columns(old) !== columns(now)) {
    // No column moves either. What is there changes.
    later = true;
    const links = new Map($$("a", now).map(link => [link.href, link]));
    for (const link of $$("a", old)) if (links.has(link.href)) morph(link, links.get(link.href));
    return;
  }
  attributes(old, now);
  if (old.hasAttribute("data-keep")) return;
  const keyed = new Map([...old.childNodes].filter(key).map(node => [key(node), node]));
  const wanted = new Set([...now.childNodes].map(key));
  if (old.matches(USED) && [...now.childNodes].some(node => key(node) && !keyed.has(key(node)))) {
    // No row moves under the pointer. New ones come when it leaves.
    later = true;
    for (const node of now.childNodes) if (keyed.has(key(node))) morph(keyed.get(key(node)), node);
    return;
  }
  for (const [name, node] of keyed) if (!wanted.has(name)) node.remove();
  let at = old.firstChild;
  for (const node of [...now.childNodes]) {
    let like = keyed.get(key(node));
    if (!like && !key(node)) {
      like = at;
      // What vanishes leaves text between elements. Those after it stay the same elements.
      while (node.nodeType === 1 && like?.nodeType === 3) like = like.nextSibling;
      if (like && (key(like) || like.nodeName !== node.nodeName)) like = null;
    }
    if (!like) { old.insertBefore(document.importNode(node, true), at); continue; }
    while (at !== like && at?.nodeType === 3) { const next = at.nextSibling; at.remove(); at = next; }
    if (like === at) at = at.nextSibling; else old.insertBefore(like, at);
    if (like.nodeName === node.nodeName) morph(like, node); else like.replaceWith(document.importNode(node, true));
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
};

// --- Times: those relative to now go on, others are shown in the chosen zone. A day has none.
let skew = 0;
const coarse = seconds => seconds < 60 ? `${seconds} s` : seconds < 3600 ? `${Math.floor(seconds / 60)} min`
  : seconds < 172800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
const ago = () => {
  for (const time of $$("time.ago")) {
    const millis = Date.parse(time.dateTime) - Date.now() - skew;
    const words = coarse(Math.floor(Math.abs(millis) / 1000));
    write(time, Math.abs(millis) <= 1000 ? "now" : millis < 0 ? `${words} ago` : `in ${words}`);
  }
};
const inZone = (date, timeZone, year) => {
  const options = { timeZone, year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
    second: "2-digit", hourCycle: "h23", timeZoneName: "short" };
  const parts = new Intl.DateTimeFormat("en-US", options).formatToParts(date);
  const part = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  const day = `${part.day} ${part.month}${year ? ` ${part.year}` : ""}`;
  return { clock: `${part.hour}:${part.minute}:${part.second}`,
    text: `${day} ${part.hour}:${part.minute} ${part.timeZoneName}`, zone: part.timeZoneName };
};
const zones = () => {
  if (document.body.dataset.tz !== "mine") return;
  for (const time of $$("main time[datetime*=T]:not(.ago)")) {
    const own = time.dataset.text ||= time.textContent;
    const shown = inZone(new Date(time.dateTime), undefined, /\d{4}/.test(own));
    write(time, /^\d\d:\d\d:\d\d$/.test(own) ? shown.clock : shown.text);
  }
  write($("#zone"), `Times in your zone (${inZone(new Date()).zone})`);
};
// The server makes the page again, with the times of the next zone.
const turn = () => {
  choose("tz", nextOf(["schedule", "mine", "utc"], document.body.dataset.tz));
  const address = new URL(location);
  address.searchParams.delete("tz");
  history.replaceState(history.state, "", address);
  refresh();
};

// --- Live: one stream for a visible tab says that something on the page has changed. Then the page
// is read again and morphed, at most five times a second.
let { live: topics, after, base } = document.body.dataset, source, following, timer, started = 0, took = 0, busy = false, wanted = false;
let held = false, missed = 0, lostAt = 0, heard, delay = 1000, retry, said = document.title, silence = 0;
const indicate = () => {
  const mark = $("#live");
  if (!mark) return;
  mark.hidden = !topics;
  const lost = lostAt && Date.now() - lostAt;
  const [state, text] = held ? ["held", `‖ held${missed ? `, ${missed} changes` : ""}`]
    : lost > 3000 ? ["lost", `◌ reconnecting since ${coarse(Math.floor(lost / 1000))}`]
    : heard < Date.now() - 15000 ? ["lost", "◌ every 5 s"] : ["on", later ? "● live, changes wait" : "● live"];
  write(mark, text);
  mark.dataset.state = state;
  mark.ariaPressed = held;
};
const show = now => {
  later = false;
  selected = !getSelection().isCollapsed;
  rove(now);
  morph($("main"), $("main", now));
  document.body.dataset.tz = now.body.dataset.tz;
  write($("#zone"), $(".zone span", now)?.textContent ?? "");
  document.title = now.title;
  zones(); ago(); follow();
};
const refresh = async () => {
  timer = undefined;
  if (busy) { wanted = true; return; }
  busy = true; wanted = false; started = Date.now();
  try {
    const response = await fetch(location);
    // Whoever is not known any more is led to the log-in, and sees no more of what was here. Nor
    // does whoever presents something else, such as a token, that is not valid any more.
    if (response.redirected || response.status === 401) location.replace(response.url);
    else if (response.ok || /40[34]|410/.test(response.status)) show(parse(await response.text()));
  } catch { later = true; }
  busy = false; took = Date.now() - started;
  if (wanted) changed();
};
const changed = () => {
  if (held) { missed++; indicate(); return; }
  // A page that takes long to make is asked for less often.
  timer ??= setTimeout(refresh, Math.max(0, started + Math.max(200, 2 * took) - Date.now()));
};
const close = () => {
  clearTimeout(retry);
  source?.close(); following?.close();
  source = following = undefined;
};
const again = () => {
  close();
  lostAt ||= Date.now();
  retry = setTimeout(open, delay * (0.5 + Math.random()));
  delay = Math.min(delay * 2, 15000);
  // A stream ends when rights do. Then the page is another one.
  changed();
};
const hear = event => { after = event.lastEventId; heard = Date.now(); changed(); };
const open = () => {
  if (source || !topics || document.hidden) return;
  source = new EventSource(`${base}/api/v1/stream?topics=${encodeURIComponent(topics)}&after=${after}`);
  heard = Date.now();
  source.onopen = () => { lostAt = 0; delay = 1000; indicate(); };
  source.onmessage = hear;
  source.addEventListener("reset", hear);
  source.addEventListener("beat", () => { heard = Date.now(); });
  source.addEventListener("bye", again);
  source.onerror = again;
  follow();
};
const hold = () => {
  held = !held;
  if (!held) { missed = 0; changed(); waiting.splice(0).forEach(append); }
  indicate();
};

// --- Log: lines are added as they come. The view stays at the end if it is there, also when a
// browser finds out how high lines are that it has not drawn before.
const waiting = [];
let unseen = 0, stuck, place;
const keep = () => {
  const { isCollapsed, anchorNode } = getSelection();
  const stays = stuck && (isCollapsed || !anchorNode.parentElement.closest("#log"));
  if (stays) scrollTo(0, root.scrollHeight);
  return stays;
};
const toEnd = () => { stuck = true; scrollTo(0, root.scrollHeight); unseen = 0; count(); };
const count = () => {
  let note = $("#unseen");
  if (!unseen) { note?.remove(); return; }
  note ||= document.body.appendChild(make("button", { id: "unseen", onclick: toEnd }));
  note.textContent = `${unseen} new ${unseen === 1 ? "line" : "lines"} ↓`;
};
const append = html => {
  const log = $("#log"), lines = $$(".line", parse(html));
  if (!log) return;
  for (const line of lines) {
    if (document.getElementById(line.id)) continue;
    let chunk = log.lastElementChild;
    if (!chunk?.matches(".chunk") || chunk.childElementCount >= 200) {
      chunk = log.appendChild(make("div", { className: "chunk" }));
    }
    chunk.append(document.importNode(line, true));
  }
  write($("#lines"), `${lines.at(-1)?.id.slice(1)} lines`);
  if (!keep()) { unseen += lines.length; count(); }
};
const follow = () => {
  const log = $("#log[data-follow]");
  if (!log || following || document.hidden) return;
  if (place === undefined) {
    place = log.dataset.after;
    new ResizeObserver(keep).observe(log);
    if (!location.hash) toEnd();
  }
  if (place === "end") return;
  following = new EventSource(`${base}${log.dataset.follow}?after=${place}`);
  following.onmessage = event => {
    place = event.lastEventId;
    if (held) { waiting.push(event.data); missed++; indicate(); } else append(event.data);
  };
  const end = () => { following?.close(); following = undefined; };
  following.addEventListener("end", () => { end(); place = "end"; });
  following.addEventListener("bye", end);
  following.onerror = () => { end(); setTimeout(follow, delay); };
};

// --- Dialogs: a form that has a page of its own is shown above the present one.
let dialog;
const ask = async (address, request) => {
  let response, text;
  try {
    response = await fetch(address, request);
    text = await response.text();
  } catch {
    if (!request) { location.assign(address); return; }
    dialog.prepend(make("p", { className: "banner bad", role: "alert" }, "The server does not answer. Try again."));
    return;
  }
  const now = parse(text);
  if (response.redirected && response.ok) {
    dialog?.close();
    if (new URL(response.url).pathname === location.pathname && topics) show(now); else location.assign(response.url);
    return;
  }
  const main = $("main", now);
  if (!main) { location.assign(address); return; }
  modal(...document.importNode(main, true).childNodes);
  $("input:not([type=hidden]),button", dialog)?.focus();
};
const modal = (...nodes) => {
  if (!dialog) {
    dialog = document.body.appendChild(make("dialog"));
    dialog.addEventListener("submit", send);
    dialog.addEventListener("click", event => {
      if (event.target === dialog) dialog.close();
      if (event.target.closest("a.button")) { event.preventDefault(); dialog.close(); }
    });
  }
  dialog.replaceChildren(...nodes);
  dialog.ariaLabel = $("h1", dialog).textContent;
  if (!dialog.open) dialog.showModal();
};
const send = event => {
  const form = event.target, button = event.submitter;
  event.preventDefault();
  const data = new URLSearchParams(new FormData(form, button));
  const address = form.getAttribute("action");
  if ((button?.getAttribute("formmethod") || form.method) === "get") ask(`${address}?${data}`);
  else ask(address, { method: "POST", body: data });
};

// --- Graph: a part of it fills the frame. Kept is the whole of what is zoomed.
const see = (svg, ...box) => svg.setAttribute("viewBox", box.join(" "));
const whole = svg => {
  if (zoomed.has(svg)) see(svg, zoomed.get(svg));
  zoomed.delete(svg);
};
const zoom = (svg, factor, x = 0.5, y = 0.5) => {
  if (!zoomed.has(svg)) zoomed.set(svg, svg.getAttribute("viewBox"));
  const box = svg.viewBox.baseVal, width = box.width * factor, height = box.height * factor;
  if (width >= zoomed.get(svg).split(" ")[2]) whole(svg);
  else see(svg, box.x + (box.width - width) * x, box.y + (box.height - height) * y, width, height);
};
const graphs = () => {
  let drag;
  const of = event => event.target.closest?.(".graph svg");
  addEventListener("wheel", event => {
    const svg = of(event);
    if (!svg || !event.ctrlKey) return;
    event.preventDefault();
    const rect = svg.getBoundingClientRect();
    zoom(svg, event.deltaY > 0 ? 1.25 : 0.8, (event.clientX - rect.left) / rect.width, (event.clientY - rect.top) / rect.height);
  }, { passive: false });
  addEventListener("pointerdown", event => {
    const svg = of(event);
    if (zoomed.has(svg)) drag = svg;
  });
  addEventListener("pointermove", event => {
    if (!drag) return;
    const { x, y, width, height } = drag.viewBox.baseVal, scale = width / drag.getBoundingClientRect().width;
    see(drag, x - event.movementX * scale, y - event.movementY * scale, width, height);
  });
  addEventListener("pointerup", () => { drag = undefined; });
};

// --- Keys
const PLACES = { h: "/", d: "/dags", r: "/runs", a: "/assets", b: "/backfills", p: "/pools" };
// Speech input types letters, and a hand may tremble: keys of one character can be switched off.
const keysAreOff = () => root.dataset.keys === "off";
const keyWords = () => `Single-key shortcuts are ${keysAreOff() ? "off" : "on"}`;
const legend = () => {
  const marks = new Map($$(".mark[aria-label]").map(mark => [mark.ariaLabel, mark]));
  const states = [...marks].map(([words, mark]) => make("li", {}, mark.cloneNode(true), ` ${words}`));
  modal(make("h1", {}, "Keys and marks"), document.importNode($("#keys").content, true),
    make("ul", { className: "legend" }, ...states), make("button", { textContent: keyWords(), onclick: event => {
      choose("keys", root.dataset.keys = keysAreOff() ? "on" : "off");
      write(event.target, keyWords());
    } }));
};
const step = by => {
  const all = $$("main tr a.name,main li a.name");
  all[Math.min(Math.max(all.indexOf(document.activeElement) + by, 0), all.length - 1)]?.focus();
};
let hit = -1;
const jump = by => {
  const hits = $$(".line.hit").length ? $$(".line.hit") : $$(".line.error");
  if (!hits.length) return;
  hit = (hit + by + hits.length) % hits.length;
  hits[hit].scrollIntoView({ block: "center" });
  $(".no", hits[hit])?.focus({ preventScroll: true });
};
const cell = (event, table) => {
  const at = event.target.closest("td,th"), by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
    Home: [0, 1, -1], End: [0, -1, at?.parentElement.cells.length] }[event.key];
  if (!at || !by) return false;
  let row = at.parentElement.rowIndex, column = by[2] ?? at.cellIndex;
  for (;;) {
    row += by[0]; column += by[1];
    const next = table.rows[row]?.cells[column];
    if (!next) return true;
    const link = $("a", next);
    if (link) { link.focus(); return true; }
  }
};
// A grid is one tab stop; arrows lead from cell to cell.
const rove = (of, href = $(".grid a[tabindex='0']")?.href) => {
  const links = $$(".grid a", of), at = links.find(link => link.href === href) || $(".grid tbody a", of);
  for (const link of links) link.tabIndex = (link === at) - 1;
};
let going = 0;
const keys = event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target, grid = target.closest?.("table.grid");
  if (target.matches?.("input,select,textarea")) return;
  if (grid && cell(event, grid)) { event.preventDefault(); return; }
  // The arrows of a grid stay: they act only while it has the focus.
  if (dialog?.open || keysAreOff()) return;
  if (event.timeStamp - going < 1500 && PLACES[event.key]) { going = 0; location.assign(base + PLACES[event.key]); return; }
  const log = $("#log"), graph = $(".graph svg");
  const action = {
    "/": () => $("main [type=search]")?.focus(), g: () => { going = event.timeStamp; }, "?": legend,
    j: () => step(1), k: () => step(-1), x: () => $("tr:focus-within [type=checkbox]")?.click(),
    ".": () => $("main .actions a,main .actions button")?.focus(),
    z: turn, T: theme,
    n: () => jump(1), N: () => jump(-1), G: () => log && toEnd(), f: () => log ? toEnd() : graph && whole(graph),
    0: () => log ? scrollTo(0, 0) : graph && whole(graph), "+": () => graph && zoom(graph, 0.8), "-": () => graph && zoom(graph, 1.25),
    " ": topics && !target.closest?.("a,button,summary,[tabindex]") && hold,
  }[event.key];
  if (action) { event.preventDefault(); action(); }
  // Links have the others.
  else $$("main [aria-keyshortcuts]").find(link => link.ariaKeyShortcuts === event.key)?.click();
};

const begin = () => {
  const made = Date.parse($(".foot time")?.dateTime) - Date.now();
  if (Math.abs(made) > 5000) skew = made;
  const tool = (id, textContent, title, onclick, ariaLabel) =>
    make("button", { id, textContent, title, onclick, ariaLabel, ariaKeyShortcuts: title.match(/\((.+)\)/)[1] });
  const zone = $(".zone span")?.textContent ?? "";
  $(".zone")?.replaceWith(make("div", { className: "tools" }, tool("live", "", "Hold still (Space)", hold),
    tool("zone", zone, "Change the zone (z)", turn), tool("theme", "◐", "Change the theme (T)", theme, "Theme"), tool("help", "?", "Keys and marks (?)", legend, "Keys and marks")));
  document.body.append(make("div", { id: "say", className: "status", role: "status" }));
  addEventListener("keydown", keys);
  addEventListener("focusin", event => { if (event.target.matches(".grid a")) rove(document, event.target.href); });
  addEventListener("click", event => {
    // The way back leads to the same cell.
    const at = event.target.closest?.(".grid a");
    if (at) history.replaceState(at.href, "");
    const link = event.target.closest?.("main a[data-dialog]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    ask(link.href);
  });
  addEventListener("scroll", () => { stuck = innerHeight + scrollY >= root.scrollHeight - 48; if (unseen && stuck) { unseen = 0; count(); } }, { passive: true });
  addEventListener("visibilitychange", () => document.hidden ? close() : open());
  addEventListener("pagehide", close);
  // Also when the browser has kept the whole page.
  addEventListener("pageshow", () => { open(); $$(".grid a").find(link => link.href === history.state)?.focus(); });
  graphs(); zones(); ago(); indicate(); rove(document); open();
  setInterval(() => {
    if (document.hidden) return;
    // A stream is never silent for so long: a proxy keeps it for itself.
    if (source && heard < Date.now() - 20000) { heard += 5000; changed(); }
    ago(); indicate();
    // Whoever hears the page is told of its title, with the state, at most every five seconds.
    if (--silence < 0 && said !== document.title) { write($("#say"), said = document.title); silence = 4; }
    if (later && !lostAt && !busy && !held && getSelection().isCollapsed && !$(USED)) changed();
  }, 1000);
};
begin();
})();
