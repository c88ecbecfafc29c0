"use strict";

const place = document.getElementById("api");
const dark = matchMedia("(prefers-color-scheme: dark)");

const [text, quiet, line, ground, panel] = ["#e3e8ee", "#a0acb8", "#323c47", "#12161b", "#1a2027"];
const DARK = {
  colors: {
    primary: { main: "#82b4f2" },
    success: { main: "#62c990" },
    error: { main: "#ff8d85" },
    text: { primary: text, secondary: quiet },
    border: { dark: line, light: line },
    responses: {
      success: { color: "#62c990", backgroundColor: panel },
      error: { color: "#ff8d85", backgroundColor: panel },
      redirect: { color: "#efb45c", backgroundColor: panel },
      info: { color: "#82b4f2", backgroundColor: panel },
    },
  },
  schema: { nestedBackground: panel, linesColor: "#71808f", typeNameColor: quiet, typeTitleColor: quiet },
  sidebar: { backgroundColor: panel, textColor: text },
  typography: { code: { color: "#efb45c", backgroundColor: panel } },
};

Redoc.init(place.dataset.schema, dark.matches ? { theme: DARK } : {}, place);
