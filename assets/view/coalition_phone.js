/* A level on a narrow screen: one word at a time, with its frames. */
globalThis.hbi ??= {};

globalThis.hbi.phone = (() => {
  "use strict";
  const NARROW = 640; // pixels; below it one word at a time
  const { html } = globalThis.hbi.elements;
  const { playerId, isFaded, classOf, membersOf, wordsOf } = globalThis.hbi.links;
  const { capitalised, kindOf, nameOf, playerLabel, signed, valueOf } = globalThis.hbi.reading;

  /** {element, links, level, narrow}: words as chips, frames as a grid; `show` fills in numbers. */
  function drawLevel(level, data, view, links) {
    const chips = level.text_tokens.map((token, index) =>
      player(level, "text", index, data, view.fade && isFaded(token, data), ...words(token, data, view)),
    );
    const frames = level.video_tokens.map((token, index) =>
      player(level, "video", index, data, false, pictures(token, data)),
    );
    const step = (by, text) =>
      html("button", { type: "button", class: "hbi-button", "data-step": by, "aria-label": text }, by < 0 ? "‹" : "›");
    const kind = kindOf(level, "text");
    const element = html(
      "div",
      { class: "hbi-phone", role: "group", "aria-label": globalThis.hbi.reading.pictureLabel(level, links, data, view) },
      html(
        "div",
        { class: "hbi-stepper" },
        step(-1, `previous ${kind}`),
        html("strong", { class: "hbi-current" }),
        step(1, `next ${kind}`),
      ),
      html("div", { class: "hbi-chips" }, ...chips),
      html("div", { class: "hbi-frames" }, ...frames),
    );
    return { element, links, level, narrow: true };
  }

  function player(level, side, index, data, faded, ...inside) {
    const beside = data.beside?.[level.name].level;
    const bar = level.values ? [valueBar(level, side, index, beside)] : [];
    return html(
      "button",
      {
        type: "button",
        class: classOf(level[`${side}_tokens`][index], side, faded),
        "data-id": playerId(level.name, side, index),
        "aria-pressed": "false",
        "aria-label": playerLabel(level, side, index, data),
      },
      ...inside.flat(),
      ...bar,
      html("span", { class: "hbi-badge" }),
    );
  }

  /** The text of a player, whose function words fade where it has others. */
  function words(token, data, view) {
    if (!view.fade || isFaded(token, data)) return [token.text];
    const texts = wordsOf(data.explanation);
    return token.words.flatMap((word, place) => {
      const faded = data.faded_words.includes(word);
      const text = faded ? html("span", { class: "hbi-faded" }, texts[word]) : texts[word];
      return place ? [" ", text] : [text];
    });
  }

  const pictures = (token, data) =>
    html(
      "span",
      { class: "hbi-thumbnails" },
      ...membersOf(token).map((frame) =>
        html("img", { src: data.explanation.video.thumbnails[frame], alt: "", "data-frame": frame }),
      ),
    );

  /** The value of a player as a bar under it; the widest is that of the largest of its level, and of the
   * level beside it. */
  function valueBar(level, side, index, beside) {
    const values = [level.values, beside?.values].flatMap((of) => (of ? [...of.video, ...of.text] : []));
    const all = values.map(Math.abs);
    const value = level.values[side][index];
    const width = (100 * Math.abs(value)) / Math.max(...all, 1e-12);
    const sign = value < 0 ? " hbi-below" : "";
    return html(
      "span",
      { class: "hbi-track", "aria-hidden": "true" },
      html("span", { class: `hbi-bar${sign}`, style: `width: ${width.toFixed(1)}%` }),
    );
  }

  /** Show the links of what is chosen: numbers and colours at the players of the other side. */
  function show(drawing, chosen, data) {
    const { level, links, element } = drawing;
    const side = chosen.text.length ? "video" : "text";
    const ends = side === "video" ? ["second", "first"] : ["first", "second"];
    const from = side === "video" ? chosen.text : chosen.video;
    for (const badge of element.querySelectorAll(".hbi-badge")) {
      badge.textContent = "";
      badge.removeAttribute("data-id");
      badge.parentElement.style.removeProperty("--hbi-grade");
      badge.parentElement.classList.remove("hbi-linked", "hbi-hindered");
    }
    for (const link of links) {
      if (link.kind !== "cross" || !from.includes(link[ends[0]])) continue;
      const id = playerId(level.name, side, link[ends[1]]);
      showLink(element.querySelector(`[data-id="${id}"]`), link, from.length > 1);
    }
    const names = from.map((index) => nameOf(level, side === "video" ? "text" : "video", index, data));
    const value = from.length === 1 ? valueOf(level, side === "video" ? "text" : "video", from[0]) : "";
    const title = element.querySelector(".hbi-current");
    title.replaceChildren(
      names.length ? capitalised(names.join(", ")) : `Choose a ${kindOf(level, "text")}`,
      html("small", {}, value),
    );
  }

  /** Links are ordered from weak to strong: of several, the strongest is shown, which may be the lowest. */
  function showLink(player, link, strongest) {
    const badge = player.querySelector(".hbi-badge");
    badge.textContent = (strongest ? "up to " : "") + signed(link.value);
    badge.dataset.id = link.id;
    player.style.setProperty("--hbi-grade", `var(--hbi-${link.grade.name}, ${link.grade.colour})`);
    player.classList.add("hbi-linked");
    player.classList.toggle("hbi-hindered", link.value < 0);
  }

  return { NARROW, drawLevel, show };
})();
