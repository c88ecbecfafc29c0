// Sends the forms of a page of the API as JSON, and shows the answer in the page.
"use strict";

const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g; // characters that change the direction of text
// A whole string of JSON that may be a path.
const PATH = /((?<!\\)"\/[^"\s\\\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*")/;
const show = (name) => document.getElementById(name);

function linked(text) {
  const parts = document.createDocumentFragment();
  const answered = new RegExp(show("answer").dataset.answered);
  for (const [number, part] of text.split(PATH).entries()) {
    if (number % 2 && answered.test(part.slice(1, -1).split("?")[0])) {
      const link = document.createElement("a");
      link.href = link.textContent = part.slice(1, -1);
      parts.append('"', link, '"');
    } else {
      parts.append(part.replace(TURNING, "\ufffd"));
    }
  }
  return parts;
}

function header([name, value]) {
  const row = document.createElement("div");
  for (const [kind, text] of [["dt", name], ["dd", value]]) {
    const cell = document.createElement(kind);
    cell.textContent = text;
    row.append(cell);
  }
  return row;
}

function showStatus(status, text) {
  show("status").textContent = text;
  for (const hint of document.querySelectorAll("[data-status]")) hint.hidden = hint.dataset.status !== String(status);
}

// PUT sends the ETag of the state from which its form was filled, PATCH and DELETE that of the state shown last.
function remember(etag, form) {
  for (const one of [form, ...document.querySelectorAll("form[data-method=PATCH], form[data-method=DELETE]")]) {
    one.dataset.etag = etag.replace(/^W\//, "");
  }
}

async function send(method, body, form) {
  const { csrf, etag } = form?.dataset ?? {};
  show("method").textContent = method;
  showStatus(0, "…");
  const headers = { Accept: "application/json; indent=4", "X-CSRFToken": csrf || "" };
  if (body) headers["Content-Type"] = "application/json";
  if (etag) headers["If-Match"] = etag;
  try {
    const answer = await fetch(location.href, { method, headers, body: body || undefined });
    const text = await answer.text();
    showStatus(answer.status, `${answer.status} ${answer.statusText}`);
    if (answer.headers.has("ETag")) remember(answer.headers.get("ETag"), form);
    show("headers").replaceChildren(...[...answer.headers].map(header));
    show("answer").replaceChildren(linked(text));
  } catch (error) {
    showStatus(0, "The service did not answer.");
  }
  show("status").scrollIntoView({ block: "center" });
}

function problem(area) {
  try {
    JSON.parse(area.value || "{}");
    return "";
  } catch (error) {
    return `Invalid JSON: ${error.message}`;
  }
}

for (const form of document.querySelectorAll("form.change")) {
  const area = form.elements.body;
  if (area) area.addEventListener("input", () => area.setCustomValidity(""));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (area) {
      area.setCustomValidity(problem(area));
      if (!form.reportValidity()) return;
    }
    send(form.dataset.method, area ? area.value : "", form);
  });
}
for (const button of document.querySelectorAll("button[data-method]")) {
  button.addEventListener("click", () => send(button.dataset.method));
}
