// Charts in the colours of the theme, drawn one after the other when the page is at rest.

const drawn = new Map();
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? "dark" : "light")) === "dark";

const drawOne = async (place, theme) => {
  const before = drawn.get(place);
  if (before?.theme === theme) return;
  const view = await drawChart(place, data.charts[place.dataset.chart], data.themes[theme]);
  before?.view.finalize();
  drawn.set(place, { theme, view });
  place.setAttribute("role", "img"); // Vega-Embed calls it a document
  place.removeAttribute("aria-roledescription");
  for (const made of place.querySelectorAll("svg")) {
    made.setAttribute("aria-hidden", "true"); // its place has a text of its own
    made.setAttribute("focusable", "false");
  }
};

let wanted = null; // who wants another theme meanwhile ends the drawing in this one

const drawEach = async (theme, between) => {
  wanted = theme;
  for (const place of document.querySelectorAll("[data-chart]")) {
    await between();
    if (wanted !== theme) return;
    await drawOne(place, theme);
  }
  document.documentElement.dataset.drawn = theme;
};

const drawAll = () => drawEach(isDark() ? "dark" : "light", () => new Promise((rest) => setTimeout(rest)));

/* A browser prints as soon as the page rests: on the way to paper there is no pause. */
const drawForPaper = () => drawEach("light", () => {});

/* Chosen by hand, a theme holds for this page in this tab; otherwise the system's does. */
const KEPT = "portfolio-ml theme";
const kept = (change) => {
  try {
    return change(sessionStorage);
  } catch {
    return null; // a browser that keeps nothing for files
  }
};

/* On paper the page is light, whatever the theme. */
const startPaper = () => {
  addEventListener("beforeprint", drawForPaper);
  addEventListener("afterprint", drawAll);
};

const startTheme = () => {
  const button = document.getElementById("theme");
  const told = () => {
    button.setAttribute("aria-pressed", String(isDark()));
    drawAll();
  };
  const chosen = kept((store) => store.getItem(KEPT));
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    kept((store) => store.setItem(KEPT, theme));
    told();
  });
  prefersDark.addEventListener("change", told);
  told();
};
