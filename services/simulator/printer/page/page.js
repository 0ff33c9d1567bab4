// Shows the paper of the virtual printers as it comes out. Relative addresses only: the page may
// stand below any path.
const words = {
  paper_out: "out of labels", ribbon_out: "out of ribbon", head_open: "lid open",
  over_temp: "head too hot", paused: "paused", refuse: "refuses connections",
};
const list = document.getElementById("printers");
const template = document.getElementById("printer");
const lost = document.getElementById("lost");
const sections = new Map();

async function act(code, path, body) {
  await fetch(`printers/${encodeURIComponent(code)}/${path}`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  await refresh();
}

function addSection(printer) {
  const section = template.content.firstElementChild.cloneNode(true);
  for (const button of section.querySelectorAll("button")) {
    const path = button.dataset.path ?? "faults";
    const body = button.dataset.fault ? { fault: button.dataset.fault } : JSON.parse(button.dataset.body);
    button.addEventListener("click", () => act(printer.code, path, body));
  }
  list.append(section);
  sections.set(printer.code, { section, newest: 0 });
}

function describe(printer) {
  if (!printer.powered) return "switched off";
  const wrong = [...printer.conditions, ...printer.line].map((kind) => words[kind] ?? kind.replaceAll("_", " "));
  if (wrong.length) return wrong.join(", ");
  const left = printer.remaining + printer.formats;
  return left ? `printing, ${left} to go` : "idle";
}

function addLabel(code, paper, label) {
  const item = document.createElement("li");
  item.classList.toggle("spoiled", label.spoiled);
  if (label.kind === "text") {
    const text = document.createElement("pre");
    text.textContent = label.source;
    item.append(text);
  } else {
    const picture = document.createElement("img");
    picture.src = `printers/${encodeURIComponent(code)}/paper/${label.n}.png`;
    picture.alt = label.texts.join(", ") || "a blank label";
    item.append(picture);
  }
  const note = document.createElement("p");
  const time = new Date(label.at).toLocaleTimeString();
  note.textContent = `No. ${label.n}, ${time}${label.spoiled ? ", spoiled" : ""}`;
  item.append(note);
  paper.prepend(item);
  while (paper.childElementCount > 30) paper.lastElementChild.remove();
}

async function show(printer) {
  if (!sections.has(printer.code)) addSection(printer);
  const known = sections.get(printer.code);
  const { section } = known;
  section.querySelector("h2").textContent = printer.name || printer.code;
  section.querySelector(".facts").textContent =
    `${printer.code}: ${printer.language.toUpperCase()} at ${printer.address}, ${printer.dpi} dpi, ${printer.width_mm} × ${printer.height_mm} mm`;
  const state = section.querySelector(".state");
  state.textContent = describe(printer);
  state.classList.toggle("bad", !printer.powered || printer.conditions.length + printer.line.length > 0);
  if (printer.paper === known.newest) return;
  const answer = await fetch(`printers/${encodeURIComponent(printer.code)}/paper?limit=30`);
  const labels = await answer.json();
  if (printer.paper < known.newest) section.querySelector(".paper").replaceChildren();
  const fresh = labels.filter((label) => label.n > known.newest || printer.paper < known.newest);
  for (const label of fresh.reverse()) addLabel(printer.code, section.querySelector(".paper"), label);
  known.newest = labels[0]?.n ?? 0;
}

async function update() {
  try {
    const printers = await (await fetch("printers")).json();
    for (const printer of printers) await show(printer);
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
}

// One after the other: two at a time would show a label twice.
let turn = Promise.resolve();
function refresh() {
  turn = turn.then(update);
  return turn;
}

async function go() {
  await refresh();
  setTimeout(go, 1000);
}
go();
