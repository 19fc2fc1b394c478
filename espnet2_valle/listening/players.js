"use strict";
// Cards with recordings. Each can be heard as soon as it is loaded; one that is not can be left out.

// Loads a card's recording. When that fails the card offers another try, and from the second time on also to go on
// without: nobody is to leave out what only needs a moment.
function attend(card, load, leave) {
  const trouble = el("div", { class: "trouble", role: "alert" });
  const button = (name, onclick) => el("button", { type: "button", onclick }, name);
  let failures = 0;
  const begin = () => load().then(() => trouble.replaceChildren(), () => {
    failures += 1;
    trouble.replaceChildren(
      el("p", {}, "This recording could not be loaded."),
      button("Try again", () => { trouble.replaceChildren("Trying again …"); begin(); }),
      ...(failures > 1 ? [button("Go on without it", () => { trouble.replaceChildren("This recording is left out."); leave(); })] : []),
    );
  });
  card.append(trouble);
  begin();
  return card;
}

// A card with a player. `onheard` is called at each end, `leave` when the listener goes on without it.
function player(src, label, onheard, leave) {
  // Nobody is to rate speech at another speed.
  const audio = el("audio", { controls: true, preload: "auto", "aria-label": label, controlslist: "nodownload noplaybackrate" });
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  });
  audio.addEventListener("ended", () => onheard(audio));
  return attend(el("section", { class: "card" }, el("h2", {}, label), audio), () => loadInto(audio, src), () => leave(audio));
}

// Whole before it is played: a line that breaks later on stops nobody in the middle.
async function loadInto(audio, src) {
  const sound = await patiently(src, (reply) => reply.arrayBuffer());
  await new Promise((resolve, reject) => {
    audio.addEventListener("loadedmetadata", resolve, { once: true });
    audio.addEventListener("error", reject, { once: true });
    audio.src = URL.createObjectURL(new Blob([sound], { type: "audio/wav" }));
  });
}

// Lets go of the sounds of a page's players.
function unload(page) {
  for (const audio of page.querySelectorAll("audio")) URL.revokeObjectURL(audio.src);
}

// A deck's controls, and a card for each recording with a button that lets it be heard. `onheard` and `leave` get the
// number of a recording.
function deckPlayer(sources, names, { onplay, onheard, leave }) {
  const toggle = el("button", { type: "button", disabled: true }, "Play");
  const seek = el("input", { type: "range", min: "0", max: "1", step: "0.01", value: "0", "aria-label": "Place in the recordings", class: "seek" });
  const repeat = el("input", { type: "checkbox" });
  const buttons = names.map((name, number) => el("button", {
    type: "button", disabled: true, class: "listen", "aria-pressed": "false",
    onclick: () => { onplay(); deck.choose(number); },
  }, `Listen to ${name}`));
  const deck = new Deck(sources, onheard, () => {
    const going = deck.started !== null;
    toggle.textContent = going ? "Pause" : "Play";
    seek.value = String(deck.position);
    buttons.forEach((button, number) => button.setAttribute("aria-pressed", String(going && number === deck.chosen)));
  });
  toggle.onclick = () => {
    if (deck.started !== null) return deck.pause();
    onplay();
    deck.begin();
  };
  seek.addEventListener("input", () => deck.seek(Number(seek.value)));
  repeat.addEventListener("change", () => { deck.repeats = repeat.checked; });
  const load = async (number) => {
    await deck.load(number);
    seek.max = String(deck.seconds);
    for (const button of [toggle, buttons[number]]) button.disabled = false;
  };
  const cards = names.map((name, number) => attend(el("section", { class: "card" }, el("h2", {}, name), buttons[number]), () => load(number), () => leave(number)));
  const controls = el("section", { class: "card deck" }, toggle, seek, el("label", { class: "hint" }, repeat, " Repeat"));
  return { deck, controls, cards };
}
