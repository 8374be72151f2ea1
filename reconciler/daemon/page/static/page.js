// Keeps the page current: the server says when something changed, the page is asked for again, and the parts of it
// that differ are exchanged. Without this file everything works, and "Reload" does the same by hand.
"use strict";
(() => {
  const PACE = 800; // milliseconds between two refreshes
  const IDLE = 30000; // a refresh without news: what nobody told of
  const seen = new Map(); // id of a part → its markup as the server wrote it
  let running = false;
  let due = 0;
  let last = 0;
  let timer = 0;
  let skew = 0; // milliseconds that the server's clock is ahead

  const parts = (root) => [...root.querySelectorAll("[data-live][id]")];
  const timeless = (markup) => markup.replace(/(<time[^>]*>)[^<]*/g, "$1");

  function ago(then) {
    const seconds = (Date.now() + skew - then) / 1000;
    const size = Math.abs(seconds);
    const unit = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([length]) => size >= length) || [1, "s"];
    const words = `${Math.floor(size / unit[0])} ${unit[1]}`;
    return seconds < 0 && size >= 1 ? `in ${words}` : `${words} ago`;
  }

  function tick() {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[datetime]:not([data-exact])")) {
      const words = ago(Date.parse(time.dateTime));
      if (time.textContent !== words) time.textContent = words;
    }
  }

  // From a document as the server wrote it.
  function learn(written) {
    for (const part of parts(written)) seen.set(part.id, timeless(part.innerHTML));
    const shown = written.querySelector("#as-of time");
    if (shown) skew = Date.parse(shown.dateTime) - Date.now();
  }

  function selector(element) {
    const href = element.getAttribute("href");
    if (element.id) return `#${CSS.escape(element.id)}`;
    if (href) return `a[href="${CSS.escape(href)}"]`;
    return element.localName === "summary" ? `#${CSS.escape(element.parentElement.id)} > summary` : "";
  }

  // What a person did to the page stays: what is unfolded, what is typed, where the focus is.
  function exchange(old, fresh) {
    const open = [...old.querySelectorAll("details[open][id]")].map((each) => each.id);
    const kept = [...old.querySelectorAll("[data-keep][id]")];
    const focus = old.contains(document.activeElement) ? document.activeElement : null;
    const mark = focus && selector(focus);
    old.replaceChildren(...fresh.childNodes);
    for (const id of open) old.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
    for (const each of kept) old.querySelector(`#${CSS.escape(each.id)}`)?.replaceWith(each);
    if (focus && !old.contains(document.activeElement)) {
      (old.contains(focus) ? focus : mark ? old.querySelector(mark) : null)?.focus({ preventScroll: true });
    }
  }

  function take(fresh) {
    const here = parts(document);
    const there = parts(fresh);
    const known = new Map(seen);
    learn(fresh);
    document.title = fresh.title;
    if (here.length !== there.length || here.some((part, at) => part.id !== there[at].id)) {
      exchange(document.querySelector("main"), fresh.querySelector("main"));
      return;
    }
    for (const [at, part] of here.entries()) {
      if (known.get(part.id) === seen.get(part.id) && part.id !== "as-of") continue;
      exchange(part, there[at]);
      if (part.localName !== "section") continue;
      part.classList.remove("fresh");
      void part.offsetWidth; // so that the animation begins again
      part.classList.add("fresh");
    }
  }

  async function refresh() {
    if (running || document.hidden) {
      due = 1;
      return;
    }
    running = true;
    due = 0;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", redirect: "manual" });
      if (answer.type === "opaqueredirect") location.reload(); // logged out
      if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      tick();
    } catch {
      say(false);
    }
    running = false;
    if (due) soon();
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(50, last + PACE - Date.now()));
  }

  const LOUD = new Set(["drifted", "healed", "fought", "calmed", "failed", "recovered", "held", "released", "degraded",
    "healthy", "sync-failed", "sync-finished", "source-unreachable", "source-recovered", "invalid", "valid"]);
  function tell(event) {
    const about = event.object || event.source;
    if (LOUD.has(event.type)) document.getElementById("told").textContent = `${about} ${event.type}: ${event.message}`;
  }

  const sign = document.createElement("span");
  function say(live) {
    sign.textContent = live ? "live" : "not connected";
    sign.className = `chip ${live ? "good" : "wait"}`;
  }

  // A tab that nobody sees holds no connection: a browser has six for all tabs of a host.
  let stream = null;
  function follow() {
    stream?.close();
    stream = null;
    if (document.hidden) return;
    const mine = (stream = new EventSource("/events"));
    mine.addEventListener("open", () => {
      say(true);
      soon();
    });
    mine.addEventListener("error", () => {
      say(false);
      if (mine.readyState === EventSource.CLOSED) setTimeout(follow, IDLE);
    });
    mine.addEventListener("happened", (event) => {
      tell(JSON.parse(event.data));
      soon();
    });
    for (const kind of ["change", "reset"]) mine.addEventListener(kind, soon);
  }

  learn(document);
  tick();
  setInterval(tick, 1000);
  setInterval(soon, IDLE);
  document.addEventListener("visibilitychange", () => {
    follow();
    if (!document.hidden) soon();
  });
  document.querySelector("header .brand").append(" ", sign);
  say(false);
  follow();
})();
