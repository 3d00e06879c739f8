/* The coalition graph that answers: hbi.coalitionView(root, data) fills an element with it.
 *
 * `data` is what hbi_core/figures/coalition_html.py gives. Events of the root, all of which bubble:
 * "hbi-select" with {level, video, text}, the indices of the chosen players of a level (level null:
 * nothing is chosen); "hbi-view" with what is shown, by the names of FigureView; "hbi-seek" with
 * {frame, seconds}, where a frame is chosen.
 *
 * One of several views that are drawn beside each other (contrast_view.js) has more in its data: `bare`,
 * which leaves filters, buttons, key and "What if" to those; `title`, `wide()`, `unfilter()`, and `beside`
 * (of coalition_links.js); and `links(level, view, data)` in the place of those that the filters show.
 */
globalThis.hbi ??= {};

globalThis.hbi.coalitionView = (() => {
  "use strict";
  const { layout, drawing, phone, reading, table } = globalThis.hbi;
  const { NOTHING, shownLinks, membersOf, playerId, playersOf, selectionOf, namesIn } = globalThis.hbi.links;
  const { html } = globalThis.hbi.elements;
  const { filterForm, setForm, toolbar, keyOf, UNFILTERED } = globalThis.hbi.controls;
  const { howToRead, explainedLine } = globalThis.hbi.notes;

  class View {
    constructor(root) {
      this.root = root;
      this.table = false;
      this.several = false;
      root.classList.add("hbi-view");
      this.listen();
      new ResizeObserver(() => this.resized()).observe(root);
    }

    /** Show an explanation; what was chosen in another one is forgotten. */
    show(data) {
      this.data = data;
      const told = this.view ?? data.view; // it may have players of another explanation
      this.view = this.known(data.view);
      this.chosen = selectionOf(this.view.chosen, data.explanation.levels);
      this.looked = NOTHING;
      this.left = {}; // by level: who plays, where some were left out
      this.key = html("div");
      this.levels = html("div", { class: "hbi-levels" });
      this.status = html("p", { class: "hbi-said", role: "status" });
      this.tip = html("div", { class: "hbi-tip", hidden: true });
      this.root.replaceChildren(...(data.bare ? [] : this.bars()), this.levels, this.status, this.tip);
      this.draw();
      if (!data.bare) {
        this.filters.open = this.wide();
        this.panel = globalThis.hbi.whatIf(this.root, data.explanation);
        this.panel?.leaveOut(this.view.left_out);
      }
      this.tell();
      if (`${playersIn(told)}` !== `${playersIn(this.view)}`) this.keep();
    }

    /** Filters, buttons and key, of a view that is not one of several (`data.bare`). */
    bars() {
      this.form = filterForm(this.view, this.data.explanation, (view) => this.filter(view));
      this.filters = html("details", { class: "hbi-panel" }, html("summary", {}, "Filters"), this.form);
      return [html("div", { class: "hbi-bars" }, this.filters, toolbar(this), howToRead(this.data)), this.key];
    }

    wide() {
      return this.data.wide?.() ?? this.root.clientWidth >= phone.NARROW;
    }

    resized() {
      const width = this.root.clientWidth;
      if (this.data && width && width !== this.width) this.draw();
    }

    /** Draw all levels that are on, as the filters say. */
    draw() {
      this.width = this.root.clientWidth;
      if (!this.width) return; // in a tab that is hidden; drawn when it is seen
      const focused = document.activeElement?.closest?.("[data-id]")?.dataset.id;
      const { explanation } = this.data;
      const setting = layout.settingOf(this.data, this.width);
      this.drawings = explanation.levels
        .filter(({ name }) => this.view.levels.includes(name))
        .map((level) => this.drawLevel(level, setting));
      this.levels.replaceChildren(...this.drawings.map((drawn) => this.sectionOf(drawn)));
      this.key.replaceChildren(keyOf(this.view, this.data));
      for (const { element } of this.drawings) {
        element.querySelector(".hbi-player")?.setAttribute("tabindex", "0");
      }
      this.mark();
      if (focused) this.playerElement(focused)?.focus();
    }

    drawLevel(level, setting) {
      const left = this.left[level.name];
      const linksOf = this.data.links ?? shownLinks;
      const links = left ? this.linksOfThoseLeft(level, left) : linksOf(level, this.view, this.data);
      const drawn = this.wide()
        ? drawing.drawLevel(level, this.data, this.view, setting, links)
        : phone.drawLevel(level, this.data, this.view, links);
      for (const player of left ? drawn.element.querySelectorAll(".hbi-player") : []) {
        const { side, index } = playerOf(player.dataset.id);
        player.classList.toggle("hbi-out", !left[side].includes(index));
      }
      return drawn;
    }

    /** The links of a game that some players have left: those between the sides, which are new. */
    linksOfThoseLeft(level, { video, text, values }) {
      const interactions = values.map((row) => row.map((value) => value ?? 0));
      const players = { video, text };
      const view = { ...this.view, sides: false };
      return shownLinks({ ...level, interactions }, view, this.data).filter(({ ends }) =>
        ends.map(playerOf).every(({ side, index }) => players[side].includes(index)),
      );
    }

    /** "What if": draw a level without those who were left out, and tell it with the filters. */
    play({ level: name, video, text, values }) {
      const level = this.data.explanation.levels.find((one) => one.name === name);
      const out = ["video", "text"].flatMap((side) => {
        const players = [...level[`${side}_tokens`].keys()].map((index) => ({ side, index }));
        return players.filter(({ index }) => !{ video, text }[side].includes(index));
      });
      if (out.length) this.left[name] = { video, text, values };
      else delete this.left[name];
      const others = this.view.left_out.filter((id) => playerOf(id).level !== name);
      this.filter({ left_out: [...others, ...out.map(({ side, index }) => playerId(name, side, index))] });
    }

    sectionOf({ element, level, links }) {
      const { text, video } = reading.sidesOf(level);
      const name = reading.capitalised(level.name);
      const kind = `${reading.kindOf(level, "text")}s`;
      const { symbol } = reading.worthOf(this.data.explanation);
      return html(
        "section",
        { class: "hbi-level", "data-level": level.name },
        html(
          "h3",
          {},
          `${this.data.title ? `${this.data.title}: ` : ""}${name} level`,
          html("small", {}, ` ${level.name === "entity" ? kind : text[1]} and ${video[1]} `),
          html("span", { class: "hbi-score" }, level.told ?? `${symbol} = ${reading.unsigned(level.score, 3)}`),
        ),
        element,
        ...(this.table ? [table.tableOf(level, links, this.view, this.data)] : []),
        ...this.said(level),
      );
    }

    /** What stands below a level: of several views, the differences alone have something to say. */
    said(level) {
      const sentences = this.data.bare ? (level.sentences ?? []) : reading.sentencesOf(level, this.data, this.view);
      return [...sentences.map((text) => html("p", {}, text)), ...(this.data.bare ? [] : explainedLine(level, this.data))];
    }

    /** Show what is chosen, or else what is looked at, at every level. */
    mark() {
      for (const drawn of this.drawings ?? []) {
        const shown = this.shownAt(drawn);
        const any = shown.video.length + shown.text.length > 0;
        drawn.element.classList.toggle("hbi-chosen", any);
        this.markPlayers(drawn, shown);
        if (drawn.narrow) phone.show(drawn, shown, this.data);
        else markLinks(drawn, shown);
      }
      this.say();
    }

    /** What is said of the choice stands below the picture that it was made in. */
    say() {
      const drawn = this.drawings?.find(({ level }) => level.name === this.chosen.level);
      if (drawn) drawn.element.after(this.status);
      else this.levels.after(this.status);
      const level = this.data.explanation.levels.find(({ name }) => name === this.chosen.level);
      const said = level ? reading.selectionInWords(level, this.chosen, this.data) : "";
      this.status.replaceChildren(said, ...(drawn ? this.whyNoLine(drawn) : []));
    }

    /** Why nothing is drawn of what is chosen, where filters are the reason. */
    whyNoLine({ level, links }) {
      const filtered = this.view.top ?? this.view.top_per_word ?? (this.view.threshold || this.view.sign !== "both");
      if (!filtered || this.left[level.name] || links.some((link) => isOf(link, this.chosen))) return [];
      const show = html("button", { type: "button", class: "hbi-button", "data-unfilter": "" }, "Show them");
      return [" Its links are below the filters: ", show];
    }

    markPlayers({ element, level }, shown) {
      for (const player of element.querySelectorAll(".hbi-player")) {
        const { side, index } = playerOf(player.dataset.id);
        const own = this.chosen.level === level.name && this.chosen[side].includes(index);
        player.setAttribute("aria-pressed", `${own}`);
        player.classList.toggle("hbi-lit", shown[side].includes(index));
      }
    }

    /** What is chosen, at a level: its own players, and at others those that share members. */
    shownAt({ level, narrow }) {
      const source = this.chosen.level ? this.chosen : this.looked;
      if (source.level) return this.seenFrom(source, level);
      if (!narrow) return NOTHING;
      const best = Math.max(...level.interactions.flat());
      const text = level.text_tokens.findIndex((_, t) => level.interactions.some((r) => r[t] === best));
      return { ...NOTHING, text: [text] }; // one word at a time: the strongest at first
    }

    seenFrom(source, level) {
      if (source.level === level.name) return source;
      const from = this.data.explanation.levels.find(({ name }) => name === source.level);
      const related = (side) => {
        const members = new Set(source[side].flatMap((i) => membersOf(from[`${side}_tokens`][i])));
        const tokens = [...level[`${side}_tokens`].entries()];
        return tokens.flatMap(([i, token]) => (membersOf(token).some((m) => members.has(m)) ? [i] : []));
      };
      return { level: level.name, video: related("video"), text: related("text") };
    }

    /** Choose players of a level; `add` makes or changes a set. */
    choose(id, add = false) {
      const { level, side, index } = playerOf(id);
      const same = this.chosen.level === level;
      const there = same && this.chosen[side].includes(index);
      const alone = same && this.chosen.video.length + this.chosen.text.length === 1;
      const next = { level, video: [], text: [] };
      if (add && same) {
        Object.assign(next, { video: [...this.chosen.video], text: [...this.chosen.text] });
        next[side] = there ? next[side].filter((i) => i !== index) : [...next[side], index].sort((a, b) => a - b);
      } else if (!(there && alone)) {
        next[side] = [index];
      }
      this.select(next);
    }

    select({ level, video, text }) {
      this.chosen = level && video.length + text.length ? { level, video, text } : NOTHING;
      this.looked = NOTHING;
      this.tip.hidden = true;
      this.mark();
      this.tell();
      this.view = { ...this.view, chosen: namesIn(this.chosen) };
      this.keep();
    }

    /** Say what is chosen as an event. */
    tell() {
      const { level, video, text } = this.chosen;
      const detail = { level, video: [...video], text: [...text] };
      this.told = detail;
      this.send("hbi-select", detail);
    }

    seek(frame) {
      const seconds = this.data.explanation.video.frame_times[frame];
      this.send("hbi-seek", { frame, seconds });
    }

    /** Take other filters, from the form or from outside. */
    filter(view) {
      this.take(view);
      this.keep();
    }

    /** Show other filters, of which nobody is told. */
    take(view) {
      this.view = { ...this.view, ...view };
      this.draw();
    }

    setView(view) {
      const known = this.known({ ...this.view, ...view });
      setForm(this.form, known);
      this.filter(known);
      this.panel?.leaveOut(known.left_out);
      this.select(selectionOf(known.chosen, this.data.explanation.levels));
    }

    /** A view without players that the explanation does not have; none is left out where there is no "What if". */
    known({ left_out, chosen, ...view }) {
      const { bare, explanation } = this.data;
      const { levels } = explanation;
      const out = bare || reading.takesModel(explanation) ? [] : playersOf(left_out, levels);
      return { ...view, left_out: out, chosen: namesIn(selectionOf(chosen, levels)) };
    }

    /** Say what is shown as an event; of several views, those that hold them say it. */
    keep() {
      if (!this.data.bare) this.send("hbi-view", { ...this.view });
    }

    send(name, detail) {
      this.root.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
    }

    playerElement(id) {
      return this.levels.querySelector(`.hbi-player[data-id="${id}"]`);
    }

    listen() {
      this.root.addEventListener("click", (event) => this.clicked(event));
      this.root.addEventListener("keydown", (event) => globalThis.hbi.keyboard(this, event));
      this.root.addEventListener("pointermove", (event) => this.pointed(event));
      this.root.addEventListener("pointerleave", () => this.look(NOTHING));
      this.root.addEventListener("focusin", ({ target }) => {
        const player = target.closest(".hbi-player");
        if (player?.matches(":focus-visible")) this.look(lookedAt(player.dataset.id));
      });
      this.root.addEventListener("hbi-what-if", ({ detail }) => this.play(detail));
      this.root.addEventListener("hbi-select", ({ detail }) => {
        if (detail !== this.told) this.select(detail); // another panel has chosen
      });
      this.root.addEventListener("focusout", () => this.look(NOTHING));
    }

    clicked(event) {
      const { target } = event;
      const toggle = target.closest("[data-toggle]")?.dataset.toggle;
      if (toggle) this.toggle(toggle, target);
      else if (target.closest("[data-clear]")) this.select(NOTHING);
      else if (target.closest("[data-unfilter]")) this.unfilter();
      else if (target.closest("[data-step]")) this.step(target.closest("[data-step]"));
      else if (target.closest(".hbi-player")) this.clickedPlayer(event);
      else if (target.closest(".hbi-picture")) this.clickedPicture(event);
    }

    /** Show all links again; of several views, those that hold the filters do it. */
    unfilter() {
      if (this.data.unfilter) this.data.unfilter();
      else this.setView(UNFILTERED);
    }

    clickedPlayer({ target, shiftKey, ctrlKey, metaKey }) {
      const { id } = target.closest(".hbi-player").dataset;
      this.choose(id, shiftKey || ctrlKey || metaKey || this.several);
      const frame = target.closest("[data-frame]")?.dataset.frame ?? this.firstFrame(id);
      if (frame !== undefined) this.seek(Number(frame));
    }

    firstFrame(id) {
      const { level: name, side, index } = playerOf(id);
      const level = this.data.explanation.levels.find((one) => one.name === name);
      return side === "video" ? level.video_tokens[index].frames[0] : undefined;
    }

    clickedPicture(event) {
      const drawn = this.drawingOf(event.target);
      const link = drawing.linkAt(drawn, event);
      if (link) this.select({ level: drawn.level.name, video: [link.first], text: [link.second] });
      else this.select(NOTHING);
    }

    toggle(name, button) {
      button.closest("[data-toggle]").setAttribute("aria-pressed", `${!this[name]}`);
      this.press(name, !this[name]);
    }

    /** Choose several, or show a table; or not. */
    press(name, pressed) {
      this[name] = pressed;
      if (name === "table") this.draw();
    }

    /** On a phone: the next or the previous word. */
    step(button) {
      const drawn = this.drawingOf(button);
      const count = drawn.level.text_tokens.length;
      const now = this.shownAt(drawn).text[0] ?? -1;
      const index = (now + Number(button.dataset.step) + count) % count;
      this.select({ level: drawn.level.name, video: [], text: [index] });
    }

    drawingOf(target) {
      const name = target.closest("[data-level]").dataset.level;
      return this.drawings.find(({ level }) => level.name === name);
    }

    pointed(event) {
      if (event.pointerType === "touch" || !event.target.closest(".hbi-picture")) {
        return this.look(NOTHING);
      }
      const player = event.target.closest(".hbi-player");
      if (player) return this.look(lookedAt(player.dataset.id), player.getAttribute("aria-label"), event);
      const drawn = this.drawingOf(event.target);
      const link = drawing.linkAt(drawn, event);
      const text = link && reading.linkInWords(link, drawn.level, this.data);
      const both = link ? { level: drawn.level.name, video: [link.first], text: [link.second] } : NOTHING;
      return this.look(both, text, event);
    }

    /** Preview what the pointer or the keyboard is at, beside a text. */
    look(looked, text = "", event = null) {
      this.tip.hidden = !text;
      if (text) placeTip(this.tip, text, event, this.root);
      if (JSON.stringify(looked) === JSON.stringify(this.looked)) return;
      this.looked = looked;
      if (!this.chosen.level) this.mark();
    }
  }

  /** The players that a view names, which are of one explanation. */
  const playersIn = ({ left_out, chosen }) => [...left_out, "chosen", ...chosen];

  const playerOf = (id) => {
    const [level, side, index] = id.split("/");
    return { level, side, index: Number(index) };
  };

  const lookedAt = (id) => {
    const { level, side, index } = playerOf(id);
    return { level, video: [], text: [], [side]: [index] };
  };

  /** Whether a link is of these players: of all of them, where they are of both sides. */
  function isOf({ kind, first, second }, { video, text }) {
    if (kind !== "cross") return [first, second].some((i) => (kind === "video" ? video : text).includes(i));
    return (!video.length || video.includes(first)) && (!text.length || text.includes(second));
  }

  /** The links of what is shown stay, all others fade; numbers stand at their other ends. */
  function markLinks(drawn, { video, text }) {
    const kept = drawn.links.filter((link) => isOf(link, { video, text }));
    const ids = new Set(kept.map(({ id }) => id));
    for (const line of drawn.element.querySelectorAll(".hbi-link")) {
      line.classList.toggle("hbi-kept", ids.has(line.dataset.id));
    }
    const cross = kept.filter(({ kind }) => kind === "cross");
    if (text.length === 1) drawing.drawNumbers(drawn, cross, "video");
    else drawing.drawNumbers(drawn, video.length === 1 && !text.length ? cross : [], "text");
  }

  function placeTip(tip, text, event, root) {
    tip.textContent = text;
    const box = root.getBoundingClientRect();
    const x = Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 4);
    tip.style.left = `${Math.max(0, x)}px`;
    tip.style.top = `${event.clientY - box.top + 18}px`;
  }

  /** Fill an element with the view of an explanation; its `hbiView` is the view. */
  return function coalitionView(root, data) {
    root.hbiView ??= new View(root);
    root.hbiView.show(data);
    return root.hbiView;
  };
})();
