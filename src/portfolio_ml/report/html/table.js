// The table of customers: searched, filtered, sorted, and drawn a page at a time.

const PAGE = matchMedia("(max-width: 760px)").matches ? 10 : 25;

const make = (tag, className, ...inner) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...inner.filter((each) => each !== null && each !== undefined));
  return element;
};

const number = (value, places = data.places) =>
  value === null ? ABSENT
    : value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
const percent = (value) => (value === null ? ABSENT : `${number(100 * value, 1)} %`);
const linkTo = (id) => `#customer=${encodeURIComponent(id)}`;

const people = data.people.rows.map((row) =>
  Object.fromEntries(data.people.columns.map((name, place) => [name, row[place]])));
const byId = new Map(people.map((person) => [person.id, person]));
for (const [place, person] of people.entries()) {
  person.place = place;
  person.text = [
    person.id, person.segment, person.stage, person.representative, person.action, person.category,
    person.reason, ...person.reasons,
  ].filter(Boolean).join("\n").toLowerCase();
}

const byPlace = (one, other) => one.place - other.place;
const KEYS = {
  place: (person) => person.place,
  id: (person) => person.id,
  risk: (person) => person.risk,
  worth: (person) => person.worth,
  value: (person) => person.value,
  next: (person) => person.next,
};
const view = { sort: "place", down: false, page: 0, rows: people };

/* What is absent comes last, whichever way it is sorted. */
const compared = (key, down) => (one, other) => {
  const [a, b] = [key(one), key(other)];
  if (a === b) return byPlace(one, other);
  if (a === null) return 1;
  if (b === null) return -1;
  return (a < b ? -1 : 1) * (down ? -1 : 1);
};

const bands = new Map(Object.entries(data.bands)); // a segment may be called "constructor"
const badge = (band, of = "") => {
  const shown = bands.get(band);
  return make("span", `badge ${band}`, mark(shown.symbol), ` ${shown.name}${of}`);
};
const mark = (symbol) => {
  const found = make("span", "symbol", symbol);
  found.setAttribute("aria-hidden", "true");
  return found;
};
const small = (text) => (text ? make("span", "small", text) : null);

const cell = (label, className, ...inner) => {
  const found = make("td", className, ...inner);
  found.dataset.label = label;
  return found;
};

const isolated = (text) => make("bdi", "", text);

const riskOf = (person) =>
  person.band
    ? [badge(person.band), small(`${percent(person.risk)} likely not to buy`)]
    : ["inactive", small(person.back === null ? "" : `${percent(person.back)} likely to return`)];

const doOf = (person) => {
  if (!person.action) return [ABSENT];
  if (person.held) return [make("b", "", "Leave alone"), small(`for comparison, instead of: ${person.action}`)];
  return [make("b", "", person.action), small(person.due && `due ${person.due}`)];
};

const rowOf = (person) => {
  const link = make("a", "", isolated(person.id));
  link.href = linkTo(person.id);
  const head = make("th", "who", link, small(`${person.segment}`), small(
    [`tier ${person.tier}`, person.stage, person.representative].filter(Boolean).join(" · ")));
  head.scope = "row";
  const reasons = person.reasons.length ? person.reasons : [person.reason].filter(Boolean);
  const why = make("ul", "", ...reasons.slice(0, 2).map((text) => make("li", "", text)));
  const next = person.next === null ? ABSENT : person.next;
  return make("tr", "", head,
    cell("What to do", "do", ...doOf(person)),
    cell("Churn risk", "risk", ...riskOf(person)),
    cell("At stake", "n", number(person.worth)),
    cell("Why", "why", reasons.length ? why : ABSENT),
    cell(`Expected ${data.value}`, "n", number(person.value),
      small(`${number(person.low)} to ${number(person.high)}`)),
    cell("Next order", "next", next, small(person.next && person.next <= data.as_of ? "overdue" : "")),
  );
};

const chosenFilters = () =>
  [...document.querySelectorAll("[data-filter]")]
    .map((select) => [select.dataset.filter, select.value])
    .filter(([, value]) => value !== "");

const refresh = () => {
  const sought = document.getElementById("search").value.trim().toLowerCase().split(/\s+/);
  const chosen = chosenFilters();
  view.rows = people
    .filter((person) => sought.every((word) => person.text.includes(word)))
    .filter((person) => chosen.every(([name, value]) => String(person[name] ?? "") === value))
    .sort(compared(KEYS[view.sort], view.down));
  view.page = 0;
  draw();
};

const draw = () => {
  const first = view.page * PAGE;
  const shown = view.rows.slice(first, first + PAGE);
  const body = document.querySelector("#people tbody");
  const none = make("td", "", "No customer is found: fewer words or filters find more.");
  none.colSpan = 7;
  body.replaceChildren(...(shown.length ? shown.map(rowOf) : [make("tr", "", none)]));
  const all = number(people.length, 0);
  document.getElementById("found").textContent = shown.length
    ? `${number(first + 1, 0)} to ${number(first + shown.length, 0)} of ${number(view.rows.length, 0)}`
      + (view.rows.length < people.length ? ` found among ${all}` : "")
    : `none of ${all}`;
  document.getElementById("before").disabled = view.page === 0;
  document.getElementById("after").disabled = first + PAGE >= view.rows.length;
  for (const head of document.querySelectorAll("#people thead th")) {
    const button = head.querySelector("button");
    const isSorted = button && button.dataset.sort === view.sort;
    head.setAttribute("aria-sort", isSorted ? (view.down ? "descending" : "ascending") : "none");
  }
};

const turn = (pages) => {
  view.page += pages;
  draw();
  document.getElementById("customers").scrollIntoView();
};

const sortBy = (name, downFirst) => {
  view.down = view.sort === name ? !view.down : downFirst;
  view.sort = name;
  refresh();
};

/* The arrows walk from customer to customer. */
const walk = (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.target.tagName !== "A") return;
  const links = [...document.querySelectorAll("#people tbody th a")];
  const next = links[links.indexOf(event.target) + step];
  if (next) {
    event.preventDefault();
    next.focus();
  }
};

const fillFilter = (select) => {
  const held = new Set(people.map((person) => person[select.dataset.filter]).filter(Boolean));
  const known = (select.dataset.order || "").split(" ");
  const rank = (text) => (known.includes(text) ? known.indexOf(text) : known.length);
  const values = [...held].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  for (const value of values) {
    const option = make("option", "", select.dataset.filter === "band" ? bands.get(value).name : value);
    option.value = value;
    select.append(option);
  }
  select.closest("label").hidden = values.length < 2;
};

const startTable = () => {
  if (!document.getElementById("people")) return;
  for (const select of document.querySelectorAll("[data-filter]")) {
    fillFilter(select);
    select.addEventListener("change", refresh);
  }
  document.getElementById("search").addEventListener("input", refresh);
  document.getElementById("clear").addEventListener("click", () => {
    document.getElementById("search").value = "";
    for (const select of document.querySelectorAll("[data-filter]")) select.value = "";
    refresh();
  });
  document.getElementById("before").addEventListener("click", () => turn(-1));
  document.getElementById("after").addEventListener("click", () => turn(1));
  for (const head of document.querySelectorAll("#people thead [data-sort]")) {
    const button = make("button", "sort", ...head.childNodes);
    button.type = "button";
    button.dataset.sort = head.dataset.sort;
    button.addEventListener("click", () => sortBy(head.dataset.sort, head.dataset.down !== undefined));
    head.append(button);
  }
  document.querySelector("#people tbody").addEventListener("keydown", walk);
  refresh();
};
