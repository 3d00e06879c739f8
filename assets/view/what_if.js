/* The panel "What if": leave words and frames out of the token game, or keep a set only, and see what
 * the rest is worth. All numbers come from game.js, at once and exact.
 *
 * `hbi.whatIf(root, explanation)` puts the panel at the end of an element, in the place of the one
 * that stood there. `explanation` has the shape of explanation.json. It returns the panel, whose
 * `leaveOut(names)` leaves players out, or null.
 *
 * Events of the element: "hbi-select", sent where the set is changed in the panel and listened to,
 * with a set of players as its detail: {level, video: [index, ..], text: [index, ..]}, level null for
 * nothing; and "hbi-what-if", with {level, video, text, values: [V][T]}, where players were left out or
 * put back: who is left, and their interactions, null for others. All of them bubble.
 */
globalThis.hbi ??= {};

globalThis.hbi.whatIf = (() => {
  "use strict";
  const { tokenGame, everyone, value, closedForm, coalitionInteraction } = globalThis.hbi.game;
  const { html, on, send } = globalThis.hbi.elements;
  const { NOTHING, indicesOf, bySide } = globalThis.hbi.links;
  const { captionCell, editedBefore } = globalThis.hbi.editCaption;
  const { capitalised, kindOf, nameOf, signed, takesModel, unsigned, worthOf } = globalThis.hbi.reading;
  const SIDES = ["text", "video"];
  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  /** The game of a level, who is left of its players, and what is computed of these. */
  class Stage {
    constructor(level, explanation) {
      const { game, symbol } = worthOf(explanation);
      this.level = level;
      this.symbol = symbol;
      this.game = tokenGame(level, explanation.model.weighting, game);
      this.everyone = everyone(this.game);
      this.keep(this.everyone);
      this.whole = this.left;
    }

    keep(kept) {
      this.kept = kept;
      this.left = { value: value(this.game, kept), ...closedForm(this.game, kept) };
    }

    /** Those of the game who are left out. */
    get out() {
      return bySide((side) => without(this.everyone[side], this.kept[side]));
    }

    /** Those of a set who are left, and their interaction. */
    together(chosen) {
      const members = bySide((side) => without(chosen[side], this.out[side]));
      return { members, interaction: coalitionInteraction(this.game, members, this.kept) };
    }
  }

  /** A set of players with one of them added or taken away. */
  function changed(players, side, index, present) {
    const others = without(players[side], [index]);
    const some = present ? [...others, index].sort((one, other) => one - other) : others;
    return { ...players, [side]: some };
  }

  const same = (one, other) =>
    one.level === other.level && SIDES.every((side) => `${one[side]}` === `${other[side]}`);
  const size = ({ video, text }) => video.length + text.length;
  const without = (some, others) => some.filter((player) => !others.includes(player));

  /** Players by name: “tabby”, “cat” and frame 3 (1.2 s). */
  function namesOf(level, players, explanation) {
    const names = SIDES.flatMap((side) =>
      players[side].map((index) => nameOf(level, side, index, { explanation })),
    );
    const some = names.length > 6 ? [...names.slice(0, 5), `${names.length - 5} more`] : names;
    return some.length < 2 ? some.join("") : `${some.slice(0, -1).join(", ")} and ${some.at(-1)}`;
  }

  /** What became of the score, in a sentence. */
  function scoreInWords({ level, symbol, kept, out, whole, left }, explanation) {
    const score = scoreIn(symbol);
    if (!size(out)) return `Everyone plays. Leave a word or a frame out to see what ${score} becomes.`;
    if (!kept.video.length || !kept.text.length) {
      return "A side has no player left, and a coalition of one side alone is worth 0.";
    }
    const change = left.value - whole.value;
    const by = Math.abs(change).toFixed(4);
    const becomes = Number(by) === 0 ? "stays the same" : `${change < 0 ? "falls" : "rises"} by ${by}`;
    const few = size(kept) < size(out);
    const names = namesOf(level, few ? kept : out, explanation);
    return `${few ? "With only" : "Without"} ${names}, ${score} ${becomes}.`;
  }

  /** What the chosen set gains, in a sentence. */
  function setInWords({ level }, chosen, { members, interaction }, explanation) {
    if (!size(chosen)) return "Choose two or more players for a set to see what they gain together.";
    const out = size(chosen) - size(members);
    const note = out ? ` (${out} of the set ${out > 1 ? "are" : "is"} left out and not counted)` : "";
    if (size(members) < 2) return `A set needs two players${note}.`;
    const gain =
      Number(interaction.toFixed(4)) === 0
        ? "neither gain nor lose"
        : `${interaction > 0 ? "gain" : "lose"} ${Math.abs(interaction).toFixed(4)}`;
    return `${capitalised(namesOf(level, members, explanation))} ${gain} by acting together${note}.`;
  }

  let made = 0; // panels, since names of radio buttons are of the document

  /** The panel of one explanation. Who was left out of each level stays so while it stands. */
  class Panel {
    constructor(root, explanation) {
      this.root = root;
      this.explanation = explanation;
      this.stages = new Map(); // by level; made when they are looked at
      this.name = explanation.levels[0].name;
      this.selection = NOTHING;
      made += 1;
      this.choices = explanation.levels.map(({ name }) =>
        html("input", { type: "radio", name: `hbi-what-if-${made}`, value: name }),
      );
      this.score = html("p", { class: "hbi-what-if-number" });
      this.scoreNote = html("p");
      this.interaction = html("p", { class: "hbi-what-if-number" });
      this.interactionNote = html("p");
      this.tables = html("div", { class: "hbi-what-if-tables" });
      this.element = this.layOut();
    }

    /** That of the level that is shown. */
    get stage() {
      if (!this.stages.has(this.name)) {
        const level = this.explanation.levels.find(({ name }) => name === this.name);
        this.stages.set(this.name, new Stage(level, this.explanation));
      }
      return this.stages.get(this.name);
    }

    /** The chosen set of the level that is shown. */
    get chosen() {
      return this.selection.level === this.name ? this.selection : NOTHING;
    }

    layOut() {
      const levels = this.choices.map((input) =>
        html("label", {}, input, capitalised(input.value)),
      );
      const panel = html(
        "details",
        { class: "hbi-panel hbi-what-if" },
        html("summary", {}, "What if: leave words and frames out"),
        on(
          "change",
          ({ target }) => this.show(target.value),
          html("fieldset", {}, html("legend", {}, "Level"), ...levels),
        ),
        html(
          "div",
          { class: "hbi-what-if-answers", role: "status" },
          html("div", {}, this.score, this.scoreNote),
          html("div", {}, this.interaction, this.interactionNote),
        ),
        html("div", { class: "hbi-what-if-buttons" }, ...this.buttons()),
        this.tables,
        html("p", { class: "hbi-what-if-read" }, readOf(this.explanation)),
        captionCell(this.root, this.explanation),
      );
      return on("toggle", () => this.show(this.name), panel);
    }

    buttons() {
      const add = (label, press) =>
        on("click", press, html("button", { type: "button", class: "hbi-button" }, label));
      const leftOut = (side) => without(this.stage.kept[side], this.chosen[side]);
      this.ofSet = [
        add("Keep only the set", () => this.keep(bySide((side) => this.chosen[side]))),
        add("Leave the set out", () => this.keep(bySide(leftOut))),
        add("Empty the set", () => this.choose(NOTHING)),
      ];
      this.putBack = add("Put all back", () => this.keep(this.stage.everyone));
      return [...this.ofSet, this.putBack];
    }

    /** Show a level; nothing is computed while the panel is closed. */
    show(name) {
      this.name = name;
      if (!this.element.open) return;
      for (const input of this.choices) input.checked = input.value === name;
      this.rows = {};
      this.tables.replaceChildren(...SIDES.map((side) => this.table(side)));
      this.update();
    }

    table(side) {
      const { level } = this.stage;
      const rows = level[`${side}_tokens`].map((_, index) => this.row(side, index));
      rows[0].boxes[0].tabIndex = 0;
      this.rows[side] = rows;
      const kind = capitalised(kindOf(level, side));
      const heads = [kind, "plays", "in the set", "value"].map((head) => html("th", {}, head));
      const body = html("tbody", {}, ...rows.map(({ element }) => element));
      return html(
        "table",
        { role: "grid", "aria-label": `${kind}s: who plays, who is in the set, values` },
        html("thead", {}, html("tr", {}, ...heads)),
        on("keydown", (event) => moveFocus(event, rows), body),
      );
    }

    row(side, index) {
      const { level } = this.stage;
      const name = nameOf(level, side, index, { explanation: this.explanation });
      const box = (what, change) =>
        on(
          "change",
          ({ target }) => change(target.checked),
          html("input", { type: "checkbox", tabindex: -1, "aria-label": `${name} ${what}` }),
        );
      const boxes = [
        box("plays", (yes) => this.keep(changed(this.stage.kept, side, index, yes))),
        box("is in the set", (yes) => this.choose(changed(this.chosen, side, index, yes))),
      ];
      const number = html("span", { class: "hbi-what-if-figure" });
      const bars = html("span", { class: "hbi-what-if-bars", "aria-hidden": "true" });
      const element = html(
        "tr",
        {},
        html("th", { scope: "row" }, ...pictureOf(level, side, index, this.explanation), name),
        ...boxes.map((input) => html("td", {}, html("label", {}, input))),
        html("td", {}, number, bars),
      );
      return { element, boxes, number, bars };
    }

    /** Play with these players only, and tell who listens. */
    keep(kept) {
      this.stage.keep(kept);
      this.update();
      const detail = { level: this.name, ...kept, values: this.stage.left.values };
      send(this.root, "hbi-what-if", detail);
    }

    /** Leave these players out of their levels, by name, and nobody else. */
    leaveOut(names) {
      const left = this.explanation.levels.filter((level) => {
        const out = bySide((side) => indicesOf(names, level, side));
        const before = this.stages.get(level.name)?.out ?? NOTHING;
        if (same({ level, ...out }, { ...before, level })) return false;
        this.element.open = true;
        this.show(level.name);
        this.keep(bySide((side) => without(this.stage.everyone[side], out[side])));
        return size(out) > 0;
      });
      if (left.length) this.show(left[0].name);
    }

    /** Look at this set of the level that is shown, and tell who listens. */
    choose({ video, text }) {
      this.selection = video.length + text.length ? { level: this.name, video, text } : NOTHING;
      this.update();
      send(this.root, "hbi-select", this.selection);
    }

    /** Take over a selection that was made elsewhere. */
    select(selection) {
      if (same(selection, this.selection)) return;
      this.selection = selection;
      if (selection.level && selection.level !== this.name) this.show(selection.level);
      else if (this.element.open) this.update();
    }

    update() {
      const { stage, chosen, explanation } = this;
      const together = stage.together(chosen);
      this.score.replaceChildren(...fromTo(stage.symbol, stage.whole.value, stage.left.value));
      this.scoreNote.textContent = scoreInWords(stage, explanation);
      const gained = size(together.members) > 1 ? signed(together.interaction) : "–";
      this.interaction.replaceChildren("I of the set = ", html("strong", {}, gained));
      this.interactionNote.textContent = setInWords(stage, chosen, together, explanation);
      for (const button of this.ofSet) button.disabled = !size(chosen);
      this.putBack.disabled = !size(stage.out);
      this.showValues(stage.whole.playerValues, stage.left.playerValues);
    }

    showValues(whole, values) {
      const all = SIDES.flatMap((side) => [...whole[side], ...values[side]]);
      const largest = Math.max(...all.map(Math.abs), 1e-12);
      for (const side of SIDES) {
        this.rows[side].forEach(({ element, boxes, number, bars }, index) => {
          const [before, now] = [whole[side][index], values[side][index]];
          const out = now === null;
          boxes[0].checked = !out;
          boxes[1].checked = this.chosen[side].includes(index);
          element.classList.toggle("hbi-what-if-out", out);
          element.classList.toggle("hbi-what-if-chosen", boxes[1].checked);
          number.textContent = out ? "left out" : signed(now);
          number.title = `In the whole game: ${signed(before)}`;
          bars.replaceChildren(
            bar("before", before / largest),
            ...(out ? [] : [bar("now", now / largest)]),
          );
        });
      }
    }
  }

  /** "S", "the logit": in a sentence. */
  const scoreIn = (symbol) => (symbol.length > 1 ? `the ${symbol}` : symbol);

  const readOf = (explanation) =>
    `The value of a player is what it adds to ${scoreIn(worthOf(explanation).symbol)}, on average over ` +
    "all coalitions of the players that are left; the outline shows it in the whole game. The " +
    "interaction of a set is what it gains by acting together, beyond what its members add alone. " +
    "Each level is a game of its own. Arrow keys go from player to player, space ticks.";

  /** S = 0.3000 → 0.2500 (−0.0500) */
  function fromTo(symbol, before, after) {
    const start = `${symbol} = ${unsigned(before)}`;
    if (before === after) return [start];
    return [`${start} → `, html("strong", {}, unsigned(after)), ` (${signed(after - before)})`];
  }

  /** A bar to the right of the middle, or, where it is negative, to the left. */
  function bar(kind, share) {
    const below = share < 0 ? " hbi-what-if-below" : "";
    const width = `width: ${50 * Math.abs(share)}%`;
    return html("i", { class: `hbi-what-if-${kind}${below}`, style: width });
  }

  /** The first frame of a video player, if the explanation has pictures. */
  function pictureOf(level, side, index, { video }) {
    if (side === "text" || !video.thumbnails) return [];
    const [frame] = level.video_tokens[index].frames;
    return [html("img", { src: video.thumbnails[frame], alt: "" })];
  }

  /** Arrow keys go through the boxes of a table, of which Tab reaches the one that was used last. */
  function moveFocus(event, rows) {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    const line = rows.findIndex((row) => row.boxes.includes(event.target));
    const column = rows[line].boxes.indexOf(event.target) + step[1];
    const next = rows[line + step[0]]?.boxes[column];
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  const TAKES_MODEL =
    "The game of this explanation is what its model says of each set of players. Leaving one out takes the " +
    "model, so that it cannot be tried here.";

  /** In place of the panel, where the browser cannot play the game. */
  const refusal = () =>
    html("details", { class: "hbi-panel hbi-what-if" }, html("summary", {}, "What if"), html("p", {}, TAKES_MODEL));

  const panels = new WeakMap(); // what takes the panel of a root away

  return function whatIf(root, explanation) {
    panels.get(root)?.();
    panels.delete(root);
    if (takesModel(explanation)) {
      const told = refusal();
      panels.set(root, () => told.remove());
      root.append(told);
      return null;
    }
    const panel = new Panel(root, explanation);
    const follow = ({ detail }) => panel.select(detail);
    root.addEventListener("hbi-select", follow);
    panels.set(root, () => {
      root.removeEventListener("hbi-select", follow);
      panel.element.remove();
    });
    panel.element.open = editedBefore(root, explanation) !== null;
    root.append(panel.element);
    return panel;
  };
})();
