// Refreshes a page without reloading it: the same address is fetched periodically, and differences are applied in
// place, so that focus, scroll position and typed text stay. Sorting, filtering and opening a tier are links and a form,
// which work without this script; with the script, only the parts that differ change.
"use strict";

(() => {
  const every = Number(document.body.dataset.refresh) * 1000;
  const timeout = 15000; // milliseconds until a request is given up
  const typing = 200; // milliseconds after the last key before a filter is applied
  const pauseButton = document.getElementById("pause");
  const trouble = document.getElementById("trouble");
  const reason = document.getElementById("trouble-reason");
  const login = document.getElementById("trouble-login");
  const filter = document.getElementById("filter");
  let paused = false;
  let timer = 0;
  let pending = null; // the AbortController of the current request
  let lastGood = Date.now();

  // --- applying differences

  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || null : null);
  const isSame = (old, fresh) =>
    old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh);

  function changeAttributes(old, fresh) {
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }

  function change(old, fresh) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.isEqualNode(fresh)) return;
    changeAttributes(old, fresh);
    const keyed = new Map();
    for (const child of old.children) if (keyOf(child)) keyed.set(keyOf(child), child);
    let place = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      const known = keyOf(wanted) ? keyed.get(keyOf(wanted)) : place;
      if (known && isSame(known, wanted)) {
        if (known === place) place = place.nextSibling;
        else moveBefore(old, known, place);
        change(known, wanted);
      } else {
        old.insertBefore(document.adoptNode(wanted), place);
      }
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  // A moved node loses the focus, unless the browser supports moveBefore().
  function moveBefore(parent, node, place) {
    if (parent.moveBefore) return parent.moveBefore(node, place);
    const focused = node.contains(document.activeElement) ? document.activeElement : null;
    parent.insertBefore(node, place);
    if (focused) focused.focus({ preventScroll: true });
  }

  function show(page) {
    document.title = page.title;
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (fresh) change(part, fresh);
    }
    document.dispatchEvent(new Event("shown"));
  }

  // --- reading

  function showTrouble(message, hasEnded = false) {
    if (reason.textContent !== message) reason.textContent = message;
    login.hidden = !hasEnded;
    login.search = `?next=${encodeURIComponent(location.pathname + location.search)}`;
    trouble.hidden = !message;
  }

  const parts = (page) => [...page.querySelectorAll("[data-live]")].map((part) => part.id).join();

  async function read(address) {
    if (pending) pending.abort();
    const own = (pending = new AbortController());
    const limit = setTimeout(() => own.abort(new Error("no answer")), timeout);
    try {
      const answer = await fetch(address, { signal: own.signal, cache: "no-store", headers: { Accept: "text/html" } });
      const text = await answer.text();
      if (own === pending) take(answer, new DOMParser().parseFromString(text, "text/html"));
    } catch {
      if (own === pending) showAge("The service cannot be reached.");
    } finally {
      clearTimeout(limit);
      if (own === pending) plan();
    }
  }

  function take(answer, page) {
    if (answer.status === 404) return showAge("This node no longer exists, or is no longer visible to you.");
    if (!answer.ok) return showAge(`The service answers with an error (${answer.status}).`);
    if (!page.querySelector("[data-live]")) return showAge("Your session has ended.", true);
    // The page has other parts than this one, as when the first node appears: they cannot be updated in place.
    if (parts(page) !== parts(document)) return location.reload();
    lastGood = Date.now();
    show(page);
    showTrouble("");
  }

  function showAge(cause, hasEnded) {
    const seconds = Math.round((Date.now() - lastGood) / 1000);
    const age = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
    showTrouble(`${cause} The data shown are ${age} old.`, hasEnded);
  }

  function plan() {
    clearTimeout(timer);
    if (every && !paused && !document.hidden) timer = setTimeout(() => read(location.href), every);
  }

  // --- user actions

  function go(address, replace) {
    if (replace) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    return read(address);
  }

  // Scrolls to the target of a link after the answer was shown, and moves the keyboard focus there.
  async function goTo(address, hash) {
    await go(address, false);
    const target = hash && document.getElementById(hash.slice(1));
    if (!target) return;
    target.focus({ preventScroll: true });
    target.scrollIntoView();
  }

  // Keeps the table visible while the user types: scrolls its heading to the top if the table begins below the window.
  function uncover() {
    const table = document.getElementById("table").getBoundingClientRect();
    const rows = Math.min(table.height, window.innerHeight / 3);
    if (table.top + rows > window.innerHeight) document.getElementById("nodes").scrollIntoView();
  }

  function filtered() {
    const query = new URLSearchParams(location.search);
    query.delete("page");
    for (const field of filter.elements) {
      if (!field.name || field.type === "hidden") continue;
      if (field.value) query.set(field.name, field.value);
      else query.delete(field.name);
    }
    return `${location.pathname}?${query}`;
  }

  // Fills the form from the address.
  function fill() {
    const query = new URLSearchParams(location.search);
    for (const field of filter ? filter.elements : []) {
      if (field.name && field.type !== "hidden") field.value = query.get(field.name) || "";
    }
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const href = link && link.closest("[data-live]") ? link.getAttribute("href") : null;
    if (!plain || event.defaultPrevented || !href || !href.startsWith("?")) return;
    event.preventDefault();
    goTo(href, link.hash);
    fill();
    if (link.hasAttribute("data-clears")) filter.elements.q.focus(); // the link itself disappears with the filter
  });

  if (filter) {
    let wait = 0;
    const apply = () => {
      clearTimeout(wait);
      if (filtered() !== location.pathname + location.search) go(filtered(), true).then(uncover);
    };
    filter.addEventListener("input", (event) => {
      clearTimeout(wait);
      wait = setTimeout(apply, event.target.type === "search" ? typing : 0);
    });
    filter.addEventListener("submit", (event) => {
      event.preventDefault();
      apply();
    });
  }

  window.addEventListener("popstate", () => {
    fill();
    read(location.href);
  });

  pauseButton.hidden = !every;
  pauseButton.addEventListener("click", () => {
    paused = !paused;
    pauseButton.textContent = paused ? "Resume updates" : "Pause updates";
    if (paused) clearTimeout(timer);
    else read(location.href);
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (!paused) read(location.href);
  });

  plan();
})();
