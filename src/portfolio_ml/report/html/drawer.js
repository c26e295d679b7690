// One customer at a time, beside the page: opened by a link such as #customer=C001.

const drawer = document.getElementById("customer");
const DAY = 86_400_000;
const day = (text) => Date.parse(`${text}T00:00:00Z`);
const iso = (time) => new Date(time).toISOString().slice(0, 10);

const facts = (pairs) => {
  const list = make("dl", "pairs");
  for (const [name, value, note] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(make("div", "", make("dt", "", name),
      make("dd", "", value instanceof Node ? value : isolated(String(value)), small(note))));
  }
  return list;
};

const money = (value) => (value === null ? null : `${number(value)}${data.currency && ` ${data.currency}`}`);

const svg = (tag, attributes, ...inner) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...inner);
  return element;
};

/* A round number that is not below the value. */
const roundUp = (value) => {
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((each) => each * step).find((each) => each >= value);
};

/* Net spend by month, the as-of date, and when the next order is expected. */
const timeline = (person) => {
  const [width, height, left, bottom, top] = [520, 190, 48, 24, 8];
  const months = person.months.map(([first, spend, days]) => ({ start: day(first), spend, days }));
  const asOf = day(data.as_of);
  const ends = [asOf, person.next && day(person.next), person.to && day(person.to)].filter(Boolean);
  const from = Math.min(months.length ? months[0].start : day(person.last), asOf - 180 * DAY);
  const to = Math.min(Math.max(...ends), asOf + 200 * DAY) + 12 * DAY;
  const highest = Math.max(0, ...months.map((each) => each.spend));
  const most = highest > 0 ? roundUp(highest) : 1;
  const least = Math.min(0, ...months.map((each) => each.spend));
  const x = (time) => left + ((time - from) / (to - from)) * (width - left - 4);
  const y = (value) => top + ((most - value) / (most - least)) * (height - top - bottom);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "timeline" });
  picture.setAttribute("aria-label", `Net spend by month from ${iso(from)} to ${data.as_of}; the table below has the numbers.`);
  for (const value of highest > 0 ? [0, most / 2, most] : [0]) {
    picture.append(
      svg("line", { class: "grid", x1: left, x2: width - 4, y1: y(value), y2: y(value) }),
      svg("text", { class: "axis", x: left - 8, y: y(value) + 4, "text-anchor": "end" },
        value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 1 })));
  }
  if (person.from && day(person.to) > from) {
    const start = Math.max(day(person.from), from);
    picture.append(svg("rect", {
      class: "window", x: x(start), width: Math.max(3, x(Math.min(day(person.to), to)) - x(start)),
      y: top, height: height - top - bottom,
    }));
  }
  for (const { start, spend } of months) {
    const end = Math.min(x(start + 30 * DAY), width);
    picture.append(svg("rect", {
      class: "spend", x: x(start), width: Math.max(2, end - x(start) - 1),
      y: y(Math.max(0, spend)), height: Math.max(1, Math.abs(y(0) - y(spend))),
    }));
  }
  const marked = [[asOf, "asof"], ...(person.next ? [[day(person.next), "expected"]] : [])];
  for (const [time, kind] of marked) {
    if (time < from || time > to) continue;
    picture.append(svg("line", { class: kind, x1: x(time), x2: x(time), y1: top, y2: height - bottom }));
  }
  let last = -Infinity;
  for (let time = from; time <= to; time += DAY) {
    const date = new Date(time);
    const isYear = date.getUTCMonth() === 0;
    const isTick = to - from > 500 * DAY ? isYear || date.getUTCMonth() === 6 : date.getUTCMonth() % 2 === 0;
    if (date.getUTCDate() !== 1 || !isTick || x(time) - last < 52 || x(time) > width - 24) continue;
    last = x(time);
    picture.append(svg("text", { class: "axis", x: last, y: height - 6, "text-anchor": "middle" }, iso(time).slice(0, 7)));
  }
  return picture;
};

const monthsTable = (person) => {
  const head = make("tr", "", ...["Month", "Days with a purchase", `Net spend${data.currency && `, ${data.currency}`}`]
    .map((name, place) => make("th", place ? "n" : "", name)));
  const rows = [...person.months].reverse().map(([first, spend, days]) =>
    make("tr", "", make("td", "", first.slice(0, 7)), make("td", "n", number(days, 0)), make("td", "n", number(spend, 2))));
  return make("details", "", make("summary", "", "The numbers"),
    make("table", "", make("thead", "", head), make("tbody", "", ...rows)));
};

const listed = (title, sentences) =>
  sentences.length
    ? make("section", "", make("h3", "", title), make("ul", "", ...sentences.map((text) => make("li", "", isolated(text)))))
    : null;

const usualFor = (person) => {
  if (!person.from) return "";
  return `its own gaps say ${person.from} to ${person.to}, eight times in ten`;
};

const taskOf = (person) => {
  if (!person.action) return null;
  const due = person.due ? `, due ${person.due}` : "";
  const box = make("div", "task",
    make("p", "", make("b", "", person.held ? "Leave alone, for comparison" : person.action),
      ` · ${person.occasion}${due} · number ${number(person.rank, 0)} on the list `, badge(person.priority, " priority")),
    make("p", "", isolated(person.reason)),
    small(person.amount === null ? "" : `${money(person.amount)} expected to be lost or gained within ${data.churn_days} days`));
  if (person.also.length) box.append(make("p", "small", `Also: ${person.also.join(", ")}.`));
  return box;
};

const bought = (person) => {
  if (!person.last) return null;
  const note = `${number(person.days, 0)} ${person.days === 1 ? "day" : "days"} with a purchase since ${person.first}, `
    + `the last on ${person.last}; ${money(person.total)} net in all.`;
  const key = `Bars: net spend by month. Dashed: ${data.as_of}.`
    + (person.next ? " Dotted: the next order expected." : "") + (person.from ? " Shaded: when it is usual." : "");
  return make("section", "", make("h3", "", "Purchases over time"), make("p", "", note),
    timeline(person), make("p", "small", key), monthsTable(person));
};

const figuresOf = (person) => facts([
  ["Churn risk", person.band ? badge(person.band) : null, `${percent(person.risk)} likely not to buy within ${data.churn_days} days`],
  ["Likely to return", person.band ? null : percent(person.back), `within ${data.churn_days} days`],
  [person.band ? "Value at risk" : "Win-back value", money(person.worth), person.band ? "risk × what it brings if it buys" : "what a contact is expected to bring, its cost off"],
  [`Expected ${data.value}`, money(person.value), `${number(person.low)} to ${number(person.high)} in ${number(100 * data.coverage, 0)} % of cases, over ${data.value_days} days`],
  ["Next order expected", person.next, [person.next && person.next <= data.as_of ? "overdue" : "", usualFor(person)].filter(Boolean).join("; ")],
  ["Spend, last 365 days", money(person.spend), person.gap === null ? "" : `${money(person.gap)} below the best quarter of its peers`],
  ["May add next", person.category, person.because],
  ["Looked after by", person.representative, person.best ? `${person.best} is expected to do better` : ""],
  ["Payment", person.payment, "the term of its section"],
  ["Delivery", person.delivery, "the term of its section"],
  ["Contact", person.policy, "the policy of its section"],
  ["Classic RFM segment", person.rfm],
]);

const show = (person) => {
  const title = make("h2", "", isolated(person.id));
  title.id = "customer-name";
  title.tabIndex = -1;
  const about = [person.segment, person.stage, `tier ${person.tier}`].join(" · ");
  drawer.querySelector(".content").replaceChildren(...[
    title, make("p", "quiet", isolated(about)), taskOf(person), figuresOf(person),
    bought(person), listed("Why it may not buy", person.reasons), listed("What changed", person.changed),
    person.rests ? make("p", "small", person.rests) : null,
  ].filter(Boolean));
  const place = view.rows.indexOf(person);
  const near = (step) => (place < 0 ? undefined : view.rows[place + step]);
  for (const [name, step] of [["previous", -1], ["following", 1]]) {
    const button = drawer.querySelector(`.${name}`);
    button.disabled = !near(step);
    button.onclick = () => location.replace(linkTo(near(step).id));
  }
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
  title.focus();
};

const asked = () => {
  const found = location.hash.match(/^#customer=(.*)$/);
  try {
    return found && decodeURIComponent(found[1]);
  } catch {
    return found && found[1];
  }
};

const follow = () => {
  const id = asked();
  if (id === null) {
    if (drawer.open) drawer.close();
  } else if (byId.has(id)) {
    show(byId.get(id));
  } else {
    const title = make("h2", "", isolated(id));
    title.id = "customer-name";
    title.tabIndex = -1;
    drawer.querySelector(".content").replaceChildren(title,
      make("p", "", "This customer is not among those shown: it may need no attention now, or not be one."));
    for (const name of ["previous", "following"]) drawer.querySelector(`.${name}`).disabled = true;
    if (!drawer.open) drawer.showModal();
    title.focus();
  }
};

const startDrawer = () => {
  if (!drawer) return;
  let opener = null;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#customer="]');
    if (link) opener = link;
  });
  drawer.querySelector(".close").addEventListener("click", () => drawer.close());
  drawer.addEventListener("click", (event) => {
    if (event.target === drawer) drawer.close(); // the shade around it
  });
  drawer.addEventListener("close", () => {
    if (asked() !== null) history.replaceState(history.state, "", location.pathname + location.search);
    if (opener?.isConnected) opener.focus({ preventScroll: true });
  });
  window.addEventListener("hashchange", follow);
  follow();
};
