/* What stands beside the pictures: how to read them, and how much of the game they explain. */
globalThis.hbi ??= {};

globalThis.hbi.notes = (() => {
  "use strict";
  const { html } = globalThis.hbi.elements;
  const { reading } = globalThis.hbi;

  /** The share of a level's game that lines and bars explain, as a strip and in words. */
  function explainedLine(level, data) {
    const explained = reading.explainedInWords(level, data);
    if (!explained) return [];
    const parts = explained.shares.map(({ key, name, share, text }) =>
      html("span", { class: `hbi-share hbi-${key}`, style: `flex-grow: ${share}`, title: `${name}: ${text}` }),
    );
    const told = explained.shares.flatMap(({ key, name, text }, place) => {
      const swatch = html("i", { class: `hbi-share hbi-${key}`, "aria-hidden": "true" });
      return [place ? ", " : "", html("span", {}, swatch, `${name} ${text}`)];
    });
    return [
      html("div", { class: "hbi-shares", "aria-hidden": "true" }, ...parts),
      html("p", { class: "hbi-explained" }, `${explained.sentence} In full: `, ...told, "."),
    ];
  }

  /** What a group is worth, for a newcomer, and φ, by the game. */
  const WORTH = {
    similarity: () => ({
      whole: "as much as its words and frames fit together",
      phi: "φ is the similarity of video and text (Eq. 1) restricted to a coalition",
    }),
    bilinear: (name) => ({
      whole: `what its pairs add to the ${name}`,
      phi:
        `φ is what a level adds to the ${name}, Σ Σ ω_v(A) ω_t(B) a[v,t] over the frames A and the ` +
        "words B of a coalition",
    }),
    function: (name) => ({
      whole: `the ${name} where there is nothing else`,
      phi: `φ is the ${name} as the model has it of a coalition alone`,
    }),
  };

  /** What a newcomer needs, and the definition. */
  function howToRead({ explanation }) {
    const worth = reading.worthOf(explanation);
    const { whole, phi } = WORTH[worth.game](worth.name);
    const exact = reading.isExact(explanation) ? "Both are exact." : "Both are estimates, of a sample of coalitions.";
    return html(
      "details",
      { class: "hbi-panel" },
      html("summary", {}, "How to read this"),
      html(
        "p",
        {},
        `Words and frames play a game together: a group of them is worth ${whole}. ` +
          "A line says how much its two ends gain by being together, in the mean " +
          "over all groups of the others; grey dotted lines are losses. A bar is what a word or frame " +
          "adds by itself. Higher levels join words to phrases and frames to clips.",
      ),
      html(
        "p",
        {},
        "Point at anything to read it. Click a word or a frame: its links stay and its members light " +
          "up at the other levels. Shift-click makes a set. Keys: arrows move, Enter chooses, Shift+Enter " +
          "adds, Escape chooses none.",
      ),
      html(
        "details",
        {},
        html("summary", {}, "Definition"),
        html(
          "p",
          {},
          "Banzhaf interaction of i and j: the mean of φ(S∪{i,j}) + φ(S) − φ(S∪{i}) − φ(S∪{j}) over all " +
            `coalitions S of the other players, where ${phi}. ` +
            `The value of i is the mean of φ(S∪{i}) − φ(S). ${exact}`,
        ),
      ),
    );
  }

  return { howToRead, explainedLine };
})();
