// A plain board until the operator client stands here: sign in, see the stages, scan. No rule lives on this page.
const STAGES = ["Filling", "Covering", "Decorating", "Packing"];
const $ = (id) => document.getElementById(id);
const { publishable_key: apikey } = await (await fetch("config.json")).json();
let token = sessionStorage.getItem("token");
let timer;

function say(text, bad = false) {
  $("says").textContent = text;
  $("says").classList.toggle("bad", bad);
}

async function call(path, body) {
  const headers = { apikey, "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const data = await answer.json();
  if (answer.status === 401) leave();
  if (!answer.ok) throw new Error(data.message || data.msg || data.error_description || `HTTP ${answer.status}`);
  return data;
}

function card(order) {
  const box = document.createElement("article");
  box.className = order.priority;
  const name = document.createElement("b");
  name.textContent = order.id;
  const what = [order.product_title, order.size, order.flavour].filter(Boolean).join(" · ");
  const due = order.due_date ? `due ${order.due_date}` : "no due date";
  const notes = [order.pending_change && "ORDER CHANGED", order.needs_review.length && "needs review"].filter(Boolean);
  box.append(name, what, document.createElement("br"), [order.priority, due, ...notes].join(" · "));
  return box;
}

async function refresh() {
  clearTimeout(timer);
  const page = await call("rest/v1/rpc/get_orders_for_dashboard", {});
  $("board").replaceChildren(...STAGES.map((stage) => {
    const mine = page.orders.filter((order) => order.stage === stage);
    const column = document.createElement("section");
    const title = document.createElement("h2");
    title.textContent = `${stage} (${mine.length})`;
    const empty = document.createElement("p");
    empty.className = "empty";
    empty.textContent = "Nothing here.";
    column.append(title, ...(mine.length ? mine.map(card) : [empty]));
    return column;
  }));
  timer = setTimeout(() => refresh().catch((error) => say(error.message, true)), 5000);
}

function show(signedIn) {
  $("sign-in").hidden = signedIn;
  for (const id of ["board", "scan", "leave"]) $(id).hidden = !signedIn;
  if (signedIn) $("code").focus();
}

function leave() {
  clearTimeout(timer);
  token = null;
  sessionStorage.removeItem("token");
  show(false);
}

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const session = await call("auth/v1/token?grant_type=password", Object.fromEntries(new FormData(event.target)));
    token = session.access_token;
    sessionStorage.setItem("token", token);
    say("");
    show(true);
    await refresh();
  } catch (error) {
    say(error.message, true);
  }
});

$("scan").addEventListener("submit", async (event) => {
  event.preventDefault();
  const code = $("code").value;
  $("code").value = "";
  try {
    const answer = await call("rest/v1/rpc/scan", { p_code: code, p_request_id: crypto.randomUUID() });
    const which = (answer.candidates ?? []).map((ticket) => ticket.id).join(", ");
    say(which ? `${answer.message} ${which}` : answer.message, !answer.ok);
    await refresh();
  } catch (error) {
    say(error.message, true);
  }
  $("code").focus();
});

$("leave").addEventListener("click", leave);
show(Boolean(token));
if (token) refresh().catch((error) => say(error.message, true));
