// A listening test: reads test.json, plays, asks, and keeps every answer in the browser and, where there is one, on the
// server. A reload goes on where it was. Nothing but this page's own host is asked for anything.
"use strict";

const main = document.getElementById("main");
let test = null;
// {token, seed, block, about, position, answers: {trial: {scores, seconds, plays, sent, refused}}}; a score is null where
// the recording could not be loaded.
let state = null;
let steps = [];
let deck = null; // of the page that is shown, where it has one
const PAUSE = 3; // seconds before the server is asked again

// ---- small tools ---------------------------------------------------------------------------------------------------

function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name in node && typeof value !== "string") node[name] = value;
    else if (name === "onclick") node.onclick = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function say(text, bad) {
  const status = document.getElementById("status");
  status.textContent = text;
  status.className = bad ? "bad" : "";
}

// Mulberry32: a seeded order must be the same after a reload.
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(items, random) {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

// ---- what is kept --------------------------------------------------------------------------------------------------

const key = () => "listening-" + test.id;

function load() {
  try { return JSON.parse(localStorage.getItem(key())); } catch { return null; }
}

function save() {
  try { localStorage.setItem(key(), JSON.stringify(state)); } catch { /* private windows: the server has it all */ }
}

async function ask(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  if (state && state.token) headers.Authorization = "Bearer " + state.token;
  return fetch(path, { method, headers, body: body ? JSON.stringify(body) : undefined });
}

// Without a server that takes raters the answers stay in the browser and are handed in as a file.
async function join(about) {
  const reply = await ask("POST", "api/raters", { about });
  if (reply.status === 201) return { ...(await reply.json()), about };
  if (reply.status === 429) {
    const when = reply.headers.has("Retry-After") ? "try again in a minute" : "come back tomorrow";
    throw new Error(`Too many people joined from your address. Please ${when}.`);
  }
  if (reply.status >= 500 && reply.status !== 501) throw new Error("The server has a problem. Please try again later.");
  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  return { token: null, seed, block: seed % test.blocks.length, about };
}

const outbox = new Outbox(() => state.answers, async (trial, body) => (await ask("PUT", "api/ratings/" + trial, body)).status, save);
let again = 0; // the timer of the next try

// Whether the server has all that it takes.
async function send() {
  if (!state.token) return true;
  const done = await outbox.send();
  clearTimeout(again);
  if (!done) again = setTimeout(send, 1000 * PAUSE);
  say(done ? lost() : "Your last answers are not on the server yet; trying again.", !done || outbox.refused > 0);
  return done;
}

function lost() {
  const count = outbox.refused;
  if (!count) return "";
  return `${count} of your answers ${count === 1 ? "is" : "are"} not stored: the server does not take ${count === 1 ? "it" : "them"}. Perhaps the test had been finished before, in another window. Please tell those who asked you.`;
}

// ---- steps ---------------------------------------------------------------------------------------------------------

function plan() {
  const random = generator(state.seed);
  const trial = (id) => {
    const given = test.trials[id];
    return { type: "trial", id, reference: given.reference, stimuli: shuffled(given.stimuli, random) };
  };
  const order = shuffled(test.blocks[state.block], random).map(trial);
  const training = test.training.map(trial);
  const first = order[0] || training[0];
  return [
    { type: "level", src: first.reference || first.stimuli[0].src },
    ...test.checks.map((check) => ({ type: "check", ...check })),
    ...training.map((step, number) => ({ ...step, title: `Practice ${number + 1} of ${training.length}` })),
    { type: "ready", count: order.length },
    ...order.map((step, number) => ({ ...step, title: `${number + 1} of ${order.length}` })),
    { type: "end" },
  ];
}

function show(...content) {
  if (deck) deck.close();
  deck = null;
  unload(main);
  main.replaceChildren(...content);
  document.getElementById("progress").value = steps.length ? state.position / (steps.length - 1) : 0;
  const heading = main.querySelector("h1");
  heading.tabIndex = -1;
  heading.focus();
  window.scrollTo(0, 0);
}

function next() {
  state.position += 1;
  save();
  step();
}

function answer(id, scores, seconds, plays) {
  state.answers[id] = { scores, seconds, plays, sent: false };
  next(); // kept in the browser by now
  send();
}

function step() {
  const current = steps[state.position];
  ({ level: showLevel, check: showCheck, trial: showTrial, ready: showReady, end: showEnd })[current.type](current);
}

function radios(question, choices, onchoice) {
  const set = el("fieldset", { disabled: true }, el("legend", {}, question));
  for (const [value, label] of choices) {
    const input = el("input", { type: "radio", name: "answer", value: String(value) });
    input.addEventListener("change", () => onchoice(value));
    set.append(el("label", { class: "choice" }, input, el("b", {}, String(value)), el("span", {}, label)));
  }
  return set;
}

function showWelcome(problem) {
  const hearing = radios("Is your hearing normal, as far as you know?", [["yes", "Yes"], ["no", "No"], ["", "I would rather not say"]], () => {});
  hearing.disabled = false;
  for (const mark of hearing.querySelectorAll("b")) mark.remove();
  const begin = el("button", {
    type: "button",
    onclick: async () => {
      begin.disabled = true;
      const chosen = hearing.querySelector("input:checked");
      try {
        state = { position: 0, answers: {}, ...(await join({ hearing: chosen ? chosen.value : "" })) };
      } catch (error) {
        return showWelcome(error.message || "There is no connection. Please try again.");
      }
      save();
      steps = plan();
      step();
    },
  }, "Begin");
  main.replaceChildren(...[
    el("h1", {}, "Before you begin"),
    ...test.instructions.map((text) => el("p", {}, text)),
    el("p", {}, "Please sit in a quiet room and use headphones. The speech may have been made by a computer."),
    el("p", { class: "hint" }, "Your answers are stored without your name. You can stop at any time and go on later in this browser."),
    test.contact ? el("p", { class: "hint" }, "Questions: " + test.contact) : null,
    hearing,
    begin,
  ].filter(Boolean));
  say(problem || "", Boolean(problem));
}

function showLevel(current) {
  const button = el("button", { type: "button", disabled: true, onclick: next }, "It is comfortable");
  const go = () => { button.disabled = false; };
  show(
    el("h1", {}, "Set the volume"),
    el("p", {}, "Play this recording and set the volume so that you hear it well. Please leave it there until the end."),
    player(current.src, "Recording", go, go),
    button,
  );
}

function showCheck(current) {
  const started = Date.now();
  let plays = 0;
  const number = test.checks.findIndex((check) => check.id === current.id) + 1;
  const submit = (choice) => answer(current.id, { choice }, (Date.now() - started) / 1000, plays);
  const set = radios("Which tone was the softest?", [[1, "The first"], [2, "The second"], [3, "The third"]], submit);
  show(
    el("h1", {}, `Headphones: ${number} of ${test.checks.length}`),
    el("p", {}, "You will hear three tones. On headphones one is softer than the others."),
    player(current.src, "Three tones", () => { plays += 1; set.disabled = false; }, () => submit(null)),
    set,
  );
}

function showReady(current) {
  show(
    el("h1", {}, "Now the test"),
    el("p", {}, `${current.count} ${current.count === 1 ? "page follows" : "pages follow"}. What you did so far was practice.`),
    el("button", { type: "button", onclick: next }, "Start"),
  );
}

function showTrial(current) {
  const started = Date.now();
  const needed = current.stimuli.length + (current.reference ? 1 : 0);
  const heard = new Set();
  let plays = 0;
  const onheard = (audio) => {
    plays += 1;
    enable(audio);
  };
  const enable = (recording) => {
    heard.add(recording);
    if (heard.size === needed) for (const set of main.querySelectorAll("fieldset")) set.disabled = false;
  };
  const submit = (scores) => answer(current.id, scores, (Date.now() - started) / 1000, plays);
  const names = current.stimuli.length === 1 ? ["Recording"]
    : test.is_comparison ? ["First recording", "Second recording"]
    : current.stimuli.map((_, number) => `Recording ${String.fromCharCode(65 + number)}`);
  // Without one of these there is nothing to compare, or to rate.
  const leave = () => submit(Object.fromEntries(current.stimuli.map((stimulus) => [stimulus.id, null])));
  if (test.has_sliders) return showSliders(current, names, { submit, leave, onplay: () => { plays += 1; }, onheard: enable });
  const reference = current.reference ? player(current.reference, "The voice to compare with", onheard, leave) : null;
  const players = current.stimuli.map((stimulus, number) => player(stimulus.src, names[number], onheard, leave));
  const hint = el("p", { class: "hint" }, needed > 1 ? "Play all of them to the end, then answer." : "Play it to the end, then answer.");
  show(el("h1", {}, current.title), hint, ...[reference, ...players].filter(Boolean), ...choices(current, submit));
}

function showSliders(current, names, { submit, leave, onplay, onheard }) {
  show(el("h1", {}, current.title)); // which closes the deck of the page before
  const leaveOne = (number) => {
    if (number === 0) return leave();
    rating.leave(number - 1);
    onheard(number); // there is nothing to wait for
  };
  const sources = [current.reference, ...current.stimuli.map((stimulus) => stimulus.src)];
  const made = deckPlayer(sources, ["Reference", ...names], { onplay, onheard, leave: leaveOne });
  deck = made.deck;
  const [reference, ...cards] = made.cards;
  const rating = sliders(current, cards, submit);
  const hint = el("p", { class: "hint" }, `${test.question} All run side by side: switch between them as you like, at any moment. When you have heard all of each, rate them.`);
  main.append(hint, made.controls, reference, ...cards, rating.button);
}

function choices(current, submit) {
  let value = null;
  const button = el("button", {
    type: "button", disabled: true,
    onclick: () => {
      const [first, second] = current.stimuli.map((stimulus) => stimulus.id);
      submit(test.is_comparison ? { [first]: -value, [second]: value } : { [first]: value });
    },
  }, "Next");
  const set = radios(test.question, test.scale, (chosen) => { value = chosen; button.disabled = false; });
  return [set, button];
}

// A slider in each card: {button to submit with, leave(number) for a recording that is not rated}.
function sliders(current, cards, submit) {
  const values = {}; // null where there is no rating
  const button = el("button", { type: "button", disabled: true, onclick: () => submit(values) }, "Next");
  const give = (number, value) => {
    values[current.stimuli[number].id] = value;
    button.disabled = Object.keys(values).length < current.stimuli.length;
  };
  cards.forEach((card, number) => card.append(slider(card.querySelector("h2").textContent, (value) => give(number, value))));
  return { button, leave: (number) => { cards[number].querySelector("fieldset").remove(); give(number, null); } };
}

function slider(label, give) {
  const shown = el("output", {}, "–");
  const input = el("input", { type: "range", min: String(test.low), max: String(test.high), step: "1", value: String((test.low + test.high) / 2), "aria-label": `${test.question} ${label}` });
  const take = () => {
    shown.textContent = input.value;
    give(Number(input.value));
  };
  input.addEventListener("input", take);
  input.addEventListener("change", take);
  const marks = [...test.scale].reverse().map(([, name]) => el("span", {}, name));
  return el("fieldset", { disabled: true },
    el("div", { class: "row" }, el("span", { class: "hint" }, "Move the slider"), shown), input, el("div", { class: "marks" }, ...marks));
}

// Whether the server has closed the test, or will never do so.
async function finish() {
  const status = await ask("POST", "api/finish").then((reply) => reply.status).catch(() => 0);
  return isTaken(status) || isRefused(status);
}

// Returns once the server has every answer and has closed the test: it takes none afterwards.
async function deliver() {
  while (!(await send()) || outbox.waiting.length) await wait(PAUSE);
  while (!(await finish())) {
    say("The end is not on the server yet; trying again.", true);
    await wait(PAUSE);
  }
  say("");
}

async function showEnd() {
  show(el("h1", {}, "Saving your answers"), el("p", {}, "Please keep this page open."));
  if (state.token) {
    await deliver();
    show(el("h1", {}, "Thank you"), el("p", { class: "end" }, `${lost() || "All answers are stored."} You may close this page.`));
    return;
  }
  const data = JSON.stringify({ test: test.id, rater: state.seed.toString(36), about: state.about, finished: true, answers: state.answers });
  const link = el("a", { class: "button", href: "data:application/json," + encodeURIComponent(data), download: `answers-${state.seed.toString(36)}.json` }, "Save answers");
  show(el("h1", {}, "Thank you"), el("p", {}, "Please save your answers and send the file to those who asked you."), el("p", { class: "end" }, link));
}

// What the server has counts, also where the browser forgot.
async function resume() {
  const reply = await ask("GET", "api/ratings");
  if (reply.status === 401) return false;
  if (!reply.ok) return true;
  const there = await reply.json();
  for (const [trial, scores] of Object.entries(there.ratings)) {
    if (!state.answers[trial]) state.answers[trial] = { scores, seconds: 0, plays: 0 };
    if (JSON.stringify(state.answers[trial].scores) === JSON.stringify(scores)) state.answers[trial].sent = true;
  }
  return true;
}

async function start() {
  test = await patiently("test.json", (reply) => reply.json());
  state = load();
  if (state && state.token) {
    try { if (!(await resume())) state = null; } catch { /* offline: the browser has its own record */ }
  }
  if (!state) return showWelcome();
  steps = plan();
  step();
  send();
}

start().catch(() => { main.replaceChildren(el("h1", {}, "The test cannot be loaded"), el("p", {}, "Please try again later.")); });
