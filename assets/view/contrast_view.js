/* A, B and their difference side by side: hbi.contrastView(root, data) fills an element with them.
 *
 * Each is a coalition view; they have the filters, the scales and what is chosen in common. `data` is
 * what hbi_core/figures/contrast_html.py gives. Events of the root, which bubble: "hbi-view" with the
 * filters, and "hbi-seek" where a frame of A is chosen.
 */
globalThis.hbi ??= {};

globalThis.hbi.contrastView = (() => {
  "use strict";
  const { html, send } = globalThis.hbi.elements;
  const { filterForm, setForm, keyOf, swatch, toolbar, FLAGS, UNFILTERED } = globalThis.hbi.controls;
  const { NARROW } = globalThis.hbi.phone;
  const { namesIn, selectionOf } = globalThis.hbi.links;
  const { explanationOf, linksOf, selectionIn, besideOf } = globalThis.hbi.difference;
  const PANELS = ["a", "b", "difference"];

  class Contrast {
    constructor(root) {
      this.root = root;
      root.classList.add("hbi-view", "hbi-contrast");
      root.addEventListener("click", ({ target }) => this.clicked(target));
    }

    show(data) {
      this.data = data;
      this.view = data.view;
      this.pressed = { several: false, table: false };
      this.form = filterForm(this.view, explanationOf(data), (view) => this.filter(view), FLAGS);
      const filters = html("details", { class: "hbi-panel" }, html("summary", {}, "Filters"), this.form);
      this.key = html("div");
      this.panels = Object.fromEntries(PANELS.map((name) => [name, html("div", { class: `hbi-of-${name}` })]));
      const beside = html("div", { class: "hbi-panels" }, ...Object.values(this.panels));
      const bars = html("div", { class: "hbi-bars" }, filters, toolbar(this.pressed), howToRead());
      this.root.replaceChildren(bars, heads(data.told), this.key, beside);
      filters.open = this.wide();
      const shown = this.partsOf(data);
      this.views = Object.fromEntries(
        PANELS.map((name) => [name, this.listenTo(name, globalThis.hbi.coalitionView(this.panels[name], shown[name]))]),
      );
      this.drawKey();
      this.choose(this.view.chosen);
    }

    wide() {
      return this.root.clientWidth >= NARROW;
    }

    /** What each of the three draws. */
    partsOf({ contrast, a, b, difference, grades, outlier, view }) {
      const part = {
        grades,
        outlier,
        view: { ...view, chosen: [] }, // by the names of the difference
        bare: true,
        wide: () => this.wide(),
        unfilter: () => this.setView(UNFILTERED),
      };
      return {
        a: { ...part, ...a, title: "A", explanation: contrast.a, beside: besideOf(contrast, "a", "b", b.pairs) },
        b: { ...part, ...b, title: "B", explanation: contrast.b, beside: besideOf(contrast, "b", "a", a.pairs) },
        difference: {
          ...part,
          ...difference,
          aspect: a.aspect,
          title: "A − B",
          explanation: explanationOf({ contrast }),
          links: linksOf,
        },
      };
    }

    /** What is chosen in one of the three is chosen in all; a frame moves the player of A. */
    listenTo(name, view) {
      view.root.addEventListener("hbi-select", (event) => {
        event.stopPropagation();
        if (this.linking) return;
        this.linking = true;
        const chosenIn = (other) => selectionIn(this.data.contrast, event.detail, name, other);
        for (const other of PANELS) if (other !== name) this.views[other].select(chosenIn(other));
        this.linking = false;
        this.view = { ...this.view, chosen: namesIn(chosenIn("difference")) };
        send(this.root, "hbi-view", { ...this.view });
      });
      view.root.addEventListener("hbi-seek", (event) => {
        if (name === "a") return;
        event.stopPropagation();
        const { frame } = event.detail;
        const shared = this.data.contrast.frames.find((one, place) => (name === "b" ? one.b : place) === frame);
        if (shared.a !== null) this.views.a.seek(shared.a);
      });
      return view;
    }

    filter(view) {
      this.view = { ...this.view, ...view };
      for (const name of PANELS) this.views[name].take(this.view);
      this.drawKey();
      send(this.root, "hbi-view", { ...this.view });
    }

    /** Show other filters, and say so in their form. */
    setView(view) {
      setForm(this.form, { ...this.view, ...view });
      this.filter(view);
      if (view.chosen) this.choose(view.chosen);
    }

    /** Choose players of the difference by name, which has those of A and of B. */
    choose(names) {
      const { difference } = this.views;
      difference.select(selectionOf(names, difference.data.explanation.levels));
    }

    drawKey() {
      const { a, difference } = this.views;
      const line = (grade, text) => html("span", { class: "hbi-grade" }, swatch(grade), text);
      this.key.replaceChildren(
        keyOf(this.view, a.data, "in A and B"),
        html(
          "p",
          { class: "hbi-key" },
          html("span", {}, "A − B, the widest differences of interactions:"),
          line(difference.data.lines[0][0], "stronger in A"),
          line(difference.data.lines[1][0], "stronger in B"),
        ),
      );
    }

    clicked(target) {
      const button = target.closest("[data-toggle]");
      if (button) {
        const { toggle } = button.dataset;
        this.pressed[toggle] = !this.pressed[toggle];
        button.setAttribute("aria-pressed", `${this.pressed[toggle]}`);
        for (const view of Object.values(this.views)) view.press(toggle, this.pressed[toggle]);
      } else if (target.closest("[data-clear]")) {
        this.views.a.select({ level: null, video: [], text: [] });
      }
    }
  }

  /** What A is and what B is. */
  const heads = (told) =>
    html(
      "div",
      { class: "hbi-heads" },
      ...told.map((text, index) => html("p", { class: `hbi-owner-${"ab"[index]}` }, html("b", {}, `${"AB"[index]} `), text)),
    );

  const howToRead = () =>
    html(
      "details",
      { class: "hbi-panel" },
      html("summary", {}, "How to read this"),
      html(
        "p",
        {},
        "A and B are drawn on one scale. A − B joins their players, each once where both have it. Its bars say " +
          "how much a word or frame speaks for A (up) or for B (down): its part of the score of A less that of " +
          "B, a Shapley value. The bars of a level add up to the difference of the scores. Its lines are the " +
          "widest differences of interactions.",
      ),
      html("p", {}, "Click a word or a frame in one of the three: it is chosen in all that have it."),
    );

  /** Fill an element with a contrast; its `hbiContrast` holds the three views. */
  return function contrastView(root, data) {
    root.hbiContrast ??= new Contrast(root);
    root.hbiContrast.show(data);
    return root.hbiContrast;
  };
})();
