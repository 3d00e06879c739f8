/* The filters: a form that says what FigureView says, and the key of the colours. */
globalThis.hbi ??= {};

globalThis.hbi.controls = (() => {
  "use strict";
  const { html, svg, dashes } = globalThis.hbi.elements;
  const { measuresOf, capitalised, takesModel, worthOf } = globalThis.hbi.reading;
  const MOST = 999;

  const CHOICES = {
    sign: ["Sign", { both: "both", positive: "helping", negative: "hindering" }],
    scale: ["Colours of", { level: "the whole level", word: "each word", frame: "each frame" }],
  };
  const COUNTS = { top: "Links of a level", top_per_word: "Links of a word" };
  const FLAGS = { fade: "Fade function words", sides: "Links within frames, within words" };
  const PRINTED = { values: "Values in exported figures" };

  /** What lines can show, shortly. */
  const measured = (explanation) => {
    const less = worthOf(explanation).game === "similarity" ? "cosine" : "pair alone";
    return { ...measuresOf(explanation), difference: `interaction − ${less}` };
  };

  /** Those of one explanation: links within a side are of games that the browser can play. */
  function flagsOf(explanation) {
    const { fade, sides } = FLAGS;
    return { fade, ...(takesModel(explanation) ? {} : { sides }), ...PRINTED };
  }

  /** The form of a view; `changed` gets the view that the form says after every change. */
  function filterForm(view, explanation, changed, flags = flagsOf(explanation)) {
    const levels = explanation.levels.map(({ name }) => name);
    const form = html(
      "form",
      { class: "hbi-filters", "aria-label": "Filters" },
      fieldOf(
        "Levels",
        ...levels.map((name) => checkbox("levels", capitalised(name), view.levels.includes(name), name)),
      ),
      labelled("Lines show", selection("measure", measured(explanation), view.measure)),
      ...Object.entries(CHOICES).map(([name, [label, options]]) =>
        labelled(label, selection(name, options, view[name])),
      ),
      ...Object.entries(COUNTS).map(([name, label]) =>
        labelled(
          label,
          html("input", {
            name,
            type: "number",
            min: 1,
            max: MOST,
            placeholder: "all",
            inputmode: "numeric",
            value: view[name] ?? "",
          }),
        ),
      ),
      labelled("Threshold", ...threshold(view.threshold)),
      ...Object.entries(flags).map(([name, label]) => checkbox(name, label, view[name] ?? false)),
      html("button", { type: "reset", class: "hbi-button" }, "Show all"),
    );
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => changed(viewOf(form, levels)));
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      setForm(form, { ...DEFAULTS, levels });
      changed(viewOf(form, levels));
    });
    return form;
  }

  const UNFILTERED = Object.freeze({ top: null, top_per_word: null, threshold: 0, sign: "both" });
  const DEFAULTS = {
    ...UNFILTERED,
    measure: "interaction",
    scale: "level",
    fade: false,
    sides: false,
    values: false,
  };

  const labelled = (text, ...fields) =>
    html("label", { class: "hbi-field" }, html("span", {}, text), ...fields);

  const fieldOf = (text, ...fields) =>
    html("fieldset", { class: "hbi-field" }, html("legend", {}, text), ...fields);

  const checkbox = (name, text, checked, value = "on") =>
    html("label", { class: "hbi-check" }, html("input", { type: "checkbox", name, value, checked }), text);

  const selection = (name, options, chosen) =>
    html(
      "select",
      { name },
      ...Object.entries(options).map(([value, text]) =>
        html("option", { value, selected: value === chosen }, text),
      ),
    );

  const threshold = (value) => [
    html("input", { name: "threshold", type: "range", min: 0, max: 1, step: 0.05, value }),
    html("output", {}, `${Math.round(100 * value)} %`),
  ];

  /** What the form says. A level at least stays on; a count that is none is all. */
  function viewOf(form, levels) {
    const field = (name) => form.elements.namedItem(name);
    const boxes = [...form.querySelectorAll("[name=levels]")];
    if (!boxes.some(({ checked }) => checked)) boxes[0].checked = true;
    form.querySelector("output").value = `${Math.round(100 * field("threshold").value)} %`;
    const count = (name) => {
      const value = Math.floor(Number(field(name).value));
      return value >= 1 ? Math.min(value, MOST) : null;
    };
    return {
      levels: levels.filter((_, index) => boxes[index].checked),
      top: count("top"),
      top_per_word: count("top_per_word"),
      threshold: Number(field("threshold").value),
      sign: field("sign").value,
      measure: field("measure").value,
      scale: field("scale").value,
      fade: field("fade").checked,
      sides: field("sides")?.checked ?? false,
      values: field("values")?.checked ?? false,
    };
  }

  /** Make the form say a view. */
  function setForm(form, view) {
    for (const box of form.querySelectorAll("[name=levels]")) {
      box.checked = view.levels.includes(box.value);
    }
    for (const name of ["measure", ...Object.keys(CHOICES), ...Object.keys(COUNTS), "threshold"]) {
      form.elements.namedItem(name).value = view[name] ?? "";
    }
    for (const box of form.querySelectorAll("[type=checkbox]:not([name=levels])")) box.checked = view[box.name];
    form.querySelector("output").value = `${Math.round(100 * view.threshold)} %`;
  }

  /** Buttons that are pressed or not, by name, and one that chooses nothing. */
  function toolbar({ several, table }) {
    const toggle = (name, text, pressed) =>
      html(
        "button",
        { type: "button", class: "hbi-button", "data-toggle": name, "aria-pressed": `${pressed}` },
        text,
      );
    return html(
      "div",
      { class: "hbi-buttons" },
      toggle("several", "Choose several", several),
      toggle("table", "Table", table),
      html("button", { type: "button", class: "hbi-button", "data-clear": "" }, "Choose none"),
    );
  }

  /** What the colours mean; `where` says whose highest counts. */
  function keyOf(view, data, where = "") {
    const of = { level: "of its level", word: "of its word", frame: "of its frame" }[view.scale];
    const grades = [...data.grades, { ...data.outlier, label: "above: an outlier" }];
    return html(
      "p",
      { class: "hbi-key" },
      html("span", {}, `Colour: share of the highest ${of} ${where}`),
      ...grades.map((grade) => html("span", { class: "hbi-grade" }, swatch(grade), grade.label)),
    );
  }

  function swatch({ name, colour, width, opacity, dotted }) {
    const line = svg("path", {
      class: `hbi-link hbi-${name}`,
      d: "M0 6H26",
      stroke: colour,
      "stroke-width": 1.5 * width,
      "stroke-opacity": opacity,
      ...dashes(dotted, 1.5 * width),
    });
    return svg("svg", { width: 26, height: 12, "aria-hidden": "true" }, line);
  }

  return { filterForm, setForm, toolbar, keyOf, swatch, UNFILTERED, FLAGS };
})();
