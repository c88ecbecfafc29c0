// Zooms and moves the drawing of the mesh by mouse, touch and keyboard, and highlights the links of a node.
// Without this script the drawing has its full size, in a region that scrolls.
"use strict";

(() => {
  const view = document.getElementById("view");
  const drawn = () => document.querySelector("#topology > svg");
  if (!view || !drawn()) return;

  const stage = document.getElementById("stage");
  const tools = document.getElementById("view-tools");
  const pointed = document.getElementById("pointed");
  const step = 70; // pixels by which an arrow key moves the drawing
  const readable = 0.75; // the smallest scale at which names are readable; users can zoom out further
  const slip = 5; // pixels that a finger or mouse may move during a click

  // --- zooming and moving

  view.classList.add("moves");
  const panzoom = Panzoom(stage, {
    canvas: true,
    cursor: "",
    maxScale: 3,
    minScale: 0.02,
    handleStartEvent: () => {}, // clicks on links work as usual
    setTransform: (element, { scale, x, y }) => {
      element.style.transform = `scale(${scale}) translate(${x}px, ${y}px)`;
      resize(scale);
    },
  });

  const size = () => ({ width: drawn().width.baseVal.value, height: drawn().height.baseVal.value });

  // The view is as high as the drawing, up to the maximum of the style sheet. Where the full height is visible, vertical
  // touch movements scroll the page.
  let highest = 0;
  function resize(scale) {
    highest = Math.max(highest, Math.min(size().height, size().height * scale));
    view.style.height = `${highest}px`;
    const fits = size().height * scale <= view.clientHeight + 1;
    const action = fits ? "pan-y" : "none";
    if (panzoom && view.style.touchAction !== action) panzoom.setOptions({ touchAction: action });
  }

  function place(scale) {
    panzoom.zoom(scale, { animate: false, force: true });
    const left = Math.max(0, (view.clientWidth - size().width * scale) / 2);
    panzoom.pan(left / scale, 0, { animate: false, force: true });
  }

  function begin() {
    const { width, height } = size();
    const scale = Math.min(1, Math.max(readable, view.clientWidth / width));
    highest = height * scale;
    place(scale);
  }

  function fit() {
    const { width, height } = size();
    place(Math.min(1, view.clientWidth / width, view.clientHeight / height));
  }

  const middle = () => {
    const box = view.getBoundingClientRect();
    return { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
  };
  const zoom = (factor) => panzoom.zoomToPoint(panzoom.getScale() * factor, middle());
  const move = (x, y) =>
    panzoom.pan(x / panzoom.getScale(), y / panzoom.getScale(), { relative: true, animate: false });

  const actions = {
    in: () => zoom(1.3),
    out: () => zoom(1 / 1.3),
    fit,
    full: () => place(1),
  };
  const keys = {
    "+": actions.in,
    "=": actions.in,
    "-": actions.out,
    0: actions.fit,
    1: actions.full,
    ArrowLeft: () => move(step, 0),
    ArrowRight: () => move(-step, 0),
    ArrowUp: () => move(0, step),
    ArrowDown: () => move(0, -step),
  };

  tools.hidden = pointed.hidden = false;
  tools.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) actions[button.value]();
  });
  view.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
  // The wheel without a modifier key scrolls the page.
  view.addEventListener(
    "wheel",
    (event) => {
      if (event.ctrlKey || event.metaKey) panzoom.zoomWithWheel(event);
    },
    { passive: false },
  );
  view.addEventListener("dragstart", (event) => event.preventDefault());

  // If the browser scrolls the view to show an element, the drawing is moved instead.
  let revealing = false;
  view.addEventListener("scroll", () => {
    const { scrollLeft, scrollTop } = view;
    if (revealing || (!scrollLeft && !scrollTop)) return;
    view.scrollTo(0, 0);
    move(-scrollLeft, -scrollTop);
  });

  // Moves the focused element into the visible part.
  function reveal(element) {
    view.scrollTo(0, 0);
    const box = element.getBoundingClientRect();
    const seen = view.getBoundingClientRect();
    const aside = (low, high, from, to) => (low < from ? from - low + 12 : high > to ? to - high - 12 : 0);
    move(aside(box.left, box.right, seen.left, seen.right), aside(box.top, box.bottom, seen.top, seen.bottom));
    requestAnimationFrame(() => (revealing = false)); // the move has ended by then
  }
  view.addEventListener("focusin", (event) => {
    if (event.target === view || revealing || !event.target.matches(":focus-visible")) return;
    revealing = true;
    requestAnimationFrame(() => reveal(document.activeElement.closest("#view a") ?? view));
  });

  // --- highlighting

  // Keys of the elements that are pointed at: a refresh of the page may replace the elements.
  const at = { tapped: null, hovered: null, focused: null };
  const keyed = (key) => (key ? drawn().querySelector(`[data-key="${CSS.escape(key)}"]`) : null);
  const keyAt = (target) => target.closest?.("#topology [data-ends], #topology [data-part]")?.dataset.key ?? null;

  function pointOut() {
    const svg = drawn();
    if (!svg) return;
    const element = keyed(at.tapped) || keyed(at.hovered) || keyed(at.focused);
    svg.classList.toggle("pointing", Boolean(element));
    const isNear = element ? nearTo(element) : () => false;
    for (const each of svg.querySelectorAll("[data-ends], [data-part]")) {
      each.classList.toggle("near", isNear(each));
      each.classList.toggle("selected", each === element);
    }
    describe(element);
  }

  // Returns a test whether a line or box belongs to the element that is pointed at.
  function nearTo(element) {
    if (element.dataset.ends) {
      const ends = element.dataset.ends.split(" ");
      return (each) => each.dataset.ends === element.dataset.ends || ends.includes(each.dataset.part);
    }
    const own = element.dataset.part;
    const others = element.dataset.near === undefined ? null : element.dataset.near.split(" ");
    const isOwn = (ends) => ends.includes(own) && (!others || ends.some((end) => others.includes(end)));
    const lines = [...drawn().querySelectorAll("[data-ends]")].map((line) => line.dataset.ends.split(" ")).filter(isOwn);
    const parts = new Set(lines.flat().filter((part) => part !== own));
    return (each) =>
      each === element || (each.dataset.ends ? isOwn(each.dataset.ends.split(" ")) : parts.has(each.dataset.part));
  }

  // The aria-label of a box without the text that is visible in it: from the isolated name (U+2068) on.
  function descriptionOf(element) {
    const label = element?.getAttribute("aria-label");
    return label ? label.slice(label.indexOf("\u2068")) : (element?.querySelector("title")?.textContent ?? "");
  }

  function describe(element) {
    const text = descriptionOf(element);
    if (pointed.firstChild?.textContent !== text) pointed.replaceChildren(document.createElement("bdi"));
    pointed.firstChild.textContent = text || pointed.dataset.hint;
    const href = at.tapped && element?.getAttribute("href");
    const link = pointed.querySelector("a");
    if (!href) return link?.remove();
    if (link) return link.setAttribute("href", href);
    const opening = document.createElement("a");
    opening.href = href;
    opening.textContent = "Open";
    pointed.append(" ", opening);
  }

  view.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    at.hovered = keyAt(event.target);
    pointOut();
  });
  view.addEventListener("pointerleave", () => {
    at.hovered = null;
    pointOut();
  });
  view.addEventListener("focusin", (event) => {
    at.focused = event.target.matches(":focus-visible") ? keyAt(event.target) : null;
    pointOut();
  });
  view.addEventListener("focusout", () => {
    at.focused = null;
    pointOut();
  });

  // The first tap on a box highlights it and shows its name; the second opens it. Moving the drawing is no click.
  let down = null;
  view.addEventListener("pointerdown", (event) => (down = event), true);
  view.addEventListener(
    "click",
    (event) => {
      const moved = down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > slip;
      const key = keyAt(event.target);
      const first = event.pointerType === "touch" && key !== at.tapped;
      if (event.detail > 0 && (moved || (first && key))) {
        event.preventDefault();
        event.stopPropagation();
      }
      if (event.pointerType !== "touch" || moved) return;
      at.tapped = key;
      pointOut();
    },
    true,
  );
  view.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    at.tapped = at.hovered = null;
    pointOut();
  });

  // --- refreshing

  let before = "";
  const shape = () => drawn()?.getAttribute("viewBox") ?? "";
  document.addEventListener("shown", () => {
    if (!drawn()) return;
    if (shape() !== before) {
      before = shape();
      highest = size().height * Math.min(1, panzoom.getScale());
      resize(panzoom.getScale());
    }
    pointOut();
  });
  window.addEventListener("resize", () => resize(panzoom.getScale()));

  before = shape();
  pointed.dataset.hint = "Point at a node, or focus it with the keyboard, to see its full name and its links.";
  // Panzoom sets its initial position only after this script.
  setTimeout(() => {
    begin();
    pointOut();
  });
})();
