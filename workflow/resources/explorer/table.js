// The numbers of the chosen generation: every metric, for the chosen chain and for every arm over its seeds.

function renderTable() {
  const chain = chainOf(state.arm, state.seed);
  const spread = Math.max(...ARMS.map((_, arm) => seedsOf(arm).length)) > 1;
  $("numbers-note").textContent = tableText(spread);
  $("table").hidden = state.generation === 0;
  const focused = document.activeElement?.closest?.("#table button")?.dataset.curve;
  $("table").replaceChildren(tableHead(spread), ...groupsOfCurves().map(([space, curves]) => tableGroup(space, curves, chain, spread)));
  if (focused !== undefined) $("table").querySelector(`[data-curve="${focused}"]`).focus();
}

function tableText(spread) {
  if (state.generation === 0) return "Generation 0 is the real data; numbers begin with generation 1.";
  const what = spread ? ": mean over seeds ± one standard error, and the chosen chain." : ".";
  return `Generation ${state.generation}${what} n: samples, and items that they are compared with. A metric's name shows its curve.`;
}

/** Return [space, positions of its curves] in the order of the table; "" for metrics of no space. */
function groupsOfCurves() {
  const groups = new Map();
  CURVES.forEach(({ space }, position) => groups.set(space, [...(groups.get(space) ?? []), position]));
  return [...groups];
}

function tableHead(spread) {
  const arms = ARMS.map(({ name }, arm) => head(name, !spread && arm === state.arm));
  const chosen = spread ? [head(`${ARMS[state.arm].name}, seed ${state.seed}`, true)] : [];
  return element("thead", {}, element("tr", {}, head("metric"), ...chosen, ...arms, head("n")));
}

const head = (text, chosen = false) => element("th", { scope: "col", class: chosen && "chosen" }, text);

function tableGroup(space, curves, chain, spread) {
  const columns = ARMS.length + 2 + Number(spread);
  const title = element("th", { scope: "rowgroup", colspan: columns }, space ? `Space: ${space}` : "All spaces");
  return element("tbody", {}, element("tr", {}, title), ...curves.map((position) => tableRow(position, chain, spread)));
}

function tableRow(position, chain, spread) {
  const curve = CURVES[position];
  const name = element("button", { type: "button", "data-curve": position, title: curve.metric }, curve.title);
  const chosen = element("td", { class: "chosen" }, format(at(curve.values, chain, state.generation)));
  const means = ARMS.map((_, arm) => meanCell(curve, arm, !spread && arm === state.arm));
  const look = { class: position === state.curve && "shown" };
  const counts = element("td", { class: "count" }, countText(curve, chain));
  return element("tr", look, element("th", { scope: "row" }, name), ...(spread ? [chosen] : []), ...means, counts);
}

function meanCell(curve, arm, chosen) {
  const [mean, error] = formatMean(overSeeds(curve, arm, state.generation)).split(" ± ");
  const spread = error === undefined ? [] : [element("small", {}, ` ± ${error}`)];
  return element("td", { class: chosen && "chosen" }, mean, ...spread);
}

function countText(curve, chain) {
  const [n, reference] = [curve.n, curve.n_reference].map((counts) => at(counts, chain, state.generation));
  if (n === null) return "";
  return reference === null ? count(n) : `${count(n)} : ${count(reference)}`;
}
