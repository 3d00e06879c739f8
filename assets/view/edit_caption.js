/* The caption in the panel "What if": edited and read again by the model, which is another question
 * than to leave a token out of the game.
 *
 * With the attribute data-asks on the root, which says that somebody listens, an edited caption is sent
 * as "hbi-caption", with {caption}; the explanation that follows says how S changed.
 */
globalThis.hbi ??= {};

globalThis.hbi.editCaption = (() => {
  "use strict";
  const { html, on, send } = globalThis.hbi.elements;
  const { signed, worthOf } = globalThis.hbi.reading;

  const DIFFERS =
    "Above, tokens are left out of the game that the model has made: the others stay as they are, " +
    "though the model read them beside those that are gone. An edited caption is read again: all its " +
    "words get new tokens, phrases are merged anew, and S is the model’s own.";

  const asked = new WeakMap(); // by root: the explanation whose caption was edited, and the edit

  const QUESTION =
    "Above, tokens are left out of the game that the model has made: the others stay as they are, " +
    "though the model read them beside those that are gone. A question without a word, or a video " +
    "without a frame, is another one, which takes the model: ";

  /** The caption, to be edited where somebody can ask the model, and what is different then. */
  function captionCell(root, explanation) {
    const { caption } = explanation;
    const cell = html("div", { class: "hbi-what-if-caption" });
    const question = worthOf(explanation).game !== "similarity";
    if (question || !root.hasAttribute("data-asks")) {
      const [name, text] = question ? ["ask", "QUESTION"] : ["explain", "CAPTION"];
      const command = html("code", {}, `python -m hbi_core.${name} VIDEO ${text} --out DIR`);
      const differs = question ? QUESTION : `${DIFFERS} That takes the model: `;
      cell.append(html("p", {}, differs, command, "."));
      return cell;
    }
    const input = html("input", { type: "text", value: caption, "aria-label": "Edited caption" });
    const button = html("button", { type: "submit", class: "hbi-button" }, "Read again");
    const ask = (event) => {
      event.preventDefault();
      const edit = { caption: input.value };
      asked.set(root, { explanation, edit });
      send(root, "hbi-caption", edit);
    };
    cell.append(
      on("submit", ask, html("form", {}, input, button)),
      ...readAgain(editedBefore(root, explanation), explanation),
      html("p", {}, DIFFERS),
    );
    return cell;
  }

  /** The explanation of the same video that an edit in the panel made this one of, or null. */
  function editedBefore(root, { video, caption }) {
    const { explanation, edit } = asked.get(root) ?? {};
    return edit?.caption === caption && explanation.video.name === video.name ? explanation : null;
  }

  /** What an edited caption changed. */
  function readAgain(before, { levels }) {
    if (!before) return [];
    const changes = levels.map(({ name, score }, index) => {
      const old = before.levels[index].score;
      return `${name} ${old.toFixed(4)} → ${score.toFixed(4)} (${signed(score - old)})`;
    });
    const text = `S with the edit: ${changes.join(", ")}. The caption was “${before.caption}”`;
    return [html("p", { role: "status" }, text)];
  }

  return { captionCell, editedBefore };
})();
