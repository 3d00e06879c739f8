/* What a figure says in words: labels, sentences, a table. Numbers have four digits. */
globalThis.hbi ??= {};

globalThis.hbi.reading = (() => {
  "use strict";
  const { rankOf, isFaded, withinSides, wordsOf } = globalThis.hbi.links;
  const MINUS = "−";
  const UNIT_SPACE = "\u00a0"; // a unit stays on the line of its number
  const SIDES = {
    entity: { text: ["word", "words"], video: ["frame", "frames"] },
    action: { text: ["phrase", "phrases"], video: ["clip", "clips"] },
    event: { text: ["sentence", "sentences"], video: ["segment", "segments"] },
  };
  const OTHER_SIDES = { text: ["text player", "text players"], video: ["video player", "video players"] };
  const sidesOf = ({ name }) => SIDES[name] ?? OTHER_SIDES;
  const SIMILARITY = { game: "similarity", symbol: "S", name: "similarity" };
  const ALONE = "value of the pair alone";
  const PAIRS = { similarity: "cosine similarity", bilinear: ALONE, function: ALONE };
  const FUNCTION = "function"; // instead of a weighting: the game is a function of coalitions
  const EXACT = ["closed_form", "enumeration"]; // methods; others estimate

  /** Whether only its model can play the game of an explanation. */
  const takesModel = ({ model }) => model.weighting === FUNCTION;
  const isExact = ({ levels }) => levels.every(({ method }) => EXACT.includes(method));

  /** What the game of an explanation is about: its score by symbol and name, and what it has of a
   * pair. Files that do not say are about a similarity. */
  function worthOf({ worth = SIMILARITY }) {
    return { ...worth, pair: PAIRS[worth.game] };
  }

  /** What links can show, by name. */
  const measuresOf = (explanation) => ({
    interaction: "interaction",
    cosine: worthOf(explanation).pair,
    difference: `interaction less ${worthOf(explanation).pair}, in standard scores`,
  });
  const SHARES = {
    video_singles: (level) => `single ${kindOf(level, "video")}s`,
    text_singles: (level) => `single ${kindOf(level, "text")}s`,
    cross_pairs: (level) => `${kindOf(level, "video")}–${kindOf(level, "text")} pairs`,
    video_pairs: (level) => `${kindOf(level, "video")}–${kindOf(level, "video")} pairs`,
    text_pairs: (level) => `${kindOf(level, "text")}–${kindOf(level, "text")} pairs`,
    rest: () => "three or more together",
  };

  /** A number with its sign, a true minus, and enough digits. */
  function signed(value, digits = 4) {
    const text = Math.abs(value).toFixed(digits);
    if (Number(text) === 0) return text;
    return (value < 0 ? MINUS : "+") + text;
  }

  /** A number without a plus. */
  const unsigned = (value, digits = 4) => signed(value, digits).replace("+", "");

  const percent = (share) => {
    const value = 100 * share;
    return (value > 0 && value < 1 ? "<" + UNIT_SPACE + "1" : value.toFixed(0)) + UNIT_SPACE + "%";
  };

  /** "word", "phrase", "frame": what a player of a side is; a phrase where words were joined. */
  function kindOf(level, side) {
    const phrases = side === "text" && level.name === "entity";
    if (phrases && level.text_tokens.some(({ words }) => words.length > 1)) return "phrase";
    return sidesOf(level)[side][0];
  }

  /** "frame 3 (1.2 s)", "frames 1–4 (0.3–2.1 s)", "“rocket”". */
  function nameOf(level, side, index, data) {
    const { name } = level[`${side}_tokens`][index]; // of a difference
    if (name) return name;
    if (side === "text") return quoted(level, index, data);
    const { frames } = level.video_tokens[index];
    const times = data.explanation.video.frame_times;
    const [first, last] = [frames[0], frames.at(-1)].map((frame) => times[frame].toFixed(1));
    const many = frames.length > 1;
    return `frame${many ? "s" : ""} ${spans(frames)} (${first}${many ? `–${last}` : ""}${UNIT_SPACE}s)`;
  }

  /** "“the” before “sky”" where the level has several “the”. */
  function quoted(level, index, data) {
    const { text, words } = level.text_tokens[index];
    const several = level.text_tokens.filter((other) => other.text === text).length > 1;
    const next = several && wordsOf(data.explanation)[words.at(-1) + 1];
    return next ? `“${text}” before “${next}”` : `“${text}”`;
  }

  /** [0, 1, 2, 5] -> "1–3, 6": as a reader counts. */
  function spans(indices) {
    const runs = [];
    for (const index of indices) {
      if (runs.length && index === runs.at(-1)[1] + 1) runs.at(-1)[1] = index;
      else runs.push([index, index]);
    }
    return runs.map(([a, b]) => (a === b ? `${a + 1}` : `${a + 1}–${b + 1}`)).join(", ");
  }

  /** "the value is +0.0123, rank 2 of 21 words", where the explanation has values. */
  function valueOf(level, side, index) {
    const { told } = level[`${side}_tokens`][index]; // of a difference
    if (told || !level.values) return told ?? "";
    const own = level.values[side][index];
    const rank = 1 + level.values[side].filter((value) => value > own).length;
    const count = level.values[side].length;
    const kinds = `${kindOf(level, side)}${count > 1 ? "s" : ""}`;
    return `value ${signed(own)} (rank ${rank} of ${count} ${kinds})`;
  }

  /** The interactions of one player with the other side, the strongest first. */
  function partnersOf(level, side, index) {
    const other = side === "text" ? "video" : "text";
    const values =
      side === "text" ? level.interactions.map((row) => row[index]) : level.interactions[index];
    return values
      .map((value, place) => ({ side: other, index: place, value }))
      .sort((one, another) => another.value - one.value);
  }

  function partnersInWords(level, side, index, data) {
    const partners = partnersOf(level, side, index);
    const [best, worst] = [partners[0], partners.at(-1)];
    const [with_, against] = level.partners ?? ["strongest with", "weakest with"];
    const told = (partner) =>
      `${nameOf(level, partner.side, partner.index, data)} ${signed(partner.value)}`;
    const ends = [
      ...(best.value > 0 || !level.partners ? [`${with_} ${told(best)}`] : []),
      ...(worst.value < 0 ? [`${against} ${told(worst)}`] : []),
    ];
    return ends.join(", ");
  }

  /** What a player is, and its name: "word “rocket”", "frame 3 (1.2 s)", "clip of frames 1–4 (..)". */
  function calledOf(level, side, index, data) {
    const [kind, name] = [kindOf(level, side), nameOf(level, side, index, data)];
    if (kind === "frame" || level.partners) return name;
    return side === "video" ? `${kind} of ${name}` : `${kind} ${name}`;
  }

  const playerLabel = (level, side, index, data) =>
    [
      calledOf(level, side, index, data),
      valueOf(level, side, index),
      partnersInWords(level, side, index, data),
    ]
      .filter(Boolean)
      .join("; ");

  /** What a screen reader says of a picture. */
  function pictureLabel(level, links, data, view) {
    const { text_tokens: texts, video_tokens: videos } = level;
    const all = sentencesOf(level, data, view).join(" ");
    return (
      `${capitalised(level.name)} level: ${texts.length} ${sidesOf(level).text[1]}, ` +
      `${videos.length} ${sidesOf(level).video[1]}, ${links.length} links shown. ${all}`
    );
  }

  /** The interactions of a level, those within a side where they are shown. */
  function interactionsOf(level, data, { sides, measure }) {
    const cross = level.interactions.flatMap((row, first) =>
      row.map((value, second) => ({ kind: "cross", first, second, value })),
    );
    const pairs = sides && measure === "interaction" && data.pairs?.[level.name];
    const all = [...cross, ...(pairs ? withinSides(pairs).flat() : [])];
    return all.map(({ value, ...link }) => ({ ...link, interaction: value }));
  }

  /** The indices of the text players of a link. */
  const textsOf = ({ kind, first, second }) =>
    ({ cross: [second], text: [first, second], video: [] })[kind];

  /** The strongest helping and hindering links of a level as sentences, without words that are faded. */
  function sentencesOf(level, data, view) {
    if (level.sentences) return level.sentences; // of a difference
    const faded = (text) => view.fade && isFaded(level.text_tokens[text], data);
    const ranked = interactionsOf(level, data, view)
      .filter((link) => !textsOf(link).some(faded))
      .sort((one, other) => other.interaction - one.interaction);
    const told = (link) => `${namesOf(link, level, data).join(" and ")} (${signed(link.interaction)})`;
    const helping = ranked.filter(({ interaction }) => interaction > 0).slice(0, 3);
    const hindering = ranked.filter(({ interaction }) => interaction < 0).reverse();
    const sentences = [];
    if (helping.length) sentences.push(`Help each other most: ${listed(helping.map(told))}.`);
    if (hindering.length) {
      const some = hindering.slice(0, helping.length ? 2 : 3).map(told);
      sentences.push(`Stand in each other’s way most: ${listed(some)}.`);
    }
    return sentences;
  }

  const listed = (texts) =>
    texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join("; ")}; and ${texts.at(-1)}`;

  /** What the ends of a link are called, words before frames. */
  function namesOf({ kind, first, second }, level, data) {
    if (kind === "cross") return [nameOf(level, "text", second, data), nameOf(level, "video", first, data)];
    return [first, second].map((index) => nameOf(level, kind, index, data));
  }

  /** What a link is, for a tooltip and a reader. */
  function linkInWords(link, level, data) {
    const names = namesOf(link, level, data);
    if (level.linkTold) return `${names.join(" and ")}: ${level.linkTold(link.first, link.second)}`;
    const numbers = [`interaction ${signed(link.interaction)}`];
    if (link.kind === "cross") {
      numbers[0] += ` (rank ${link.rank} of ${level.interactions.flat().length})`;
      numbers.push(`${worthOf(data.explanation).pair} ${signed(link.similarity, 3)}`);
    }
    return `${names.join(" and ")}: ${numbers.join("; ")}`;
  }

  /** One sentence on what is chosen at a level: {video: [index], text: [index]}. */
  function selectionInWords(level, { video, text }, data) {
    const rank = rankOf(level);
    if (video.length + text.length === 1) {
      const [side, index] = video.length ? ["video", video[0]] : ["text", text[0]];
      return `${capitalised(playerLabel(level, side, index, data))}.`;
    }
    if (video.length === 1 && text.length === 1) {
      const [first, second] = [video[0], text[0]];
      const interaction = level.interactions[first][second];
      const similarity = level.similarity[first][second];
      const link = { kind: "cross", first, second, interaction, similarity };
      return `${linkInWords({ ...link, rank: rank[first][second] }, level, data)}.`;
    }
    const names = [
      ...text.map((index) => nameOf(level, "text", index, data)),
      ...video.map((index) => nameOf(level, "video", index, data)),
    ];
    const cells = pairsWithin(level, { video, text });
    const total = cells.reduce((sum, value) => sum + value, 0);
    const between = video.length && text.length ? "between them" : "of them with the other side";
    return `${names.join(", ")}: ${cells.length} links ${between}, in sum ${signed(total)}.`;
  }

  /** The interactions between chosen players; of all with one side, where only that is chosen. */
  function pairsWithin(level, { video, text }) {
    const all = (some, tokens) => (some.length ? some : [...tokens.keys()]);
    return all(video, level.video_tokens).flatMap((v) =>
      all(text, level.text_tokens).map((t) => level.interactions[v][t]),
    );
  }

  /** How much of the game is explained by what: the shares, and what that means. */
  function explainedInWords(level, { explanation }) {
    const { explained } = level;
    if (!explained) return null;
    const drawn = explained.cross_pairs;
    const singles = explained.video_singles + explained.text_singles;
    return {
      shares: Object.entries(SHARES).map(([key, name]) => ({
        key,
        name: name(level),
        share: explained[key],
        text: percent(explained[key]),
      })),
      sentence:
        `The lines explain ${percent(drawn)} of how the ${worthOf(explanation).name} varies from one coalition to ` +
        `another, the bars of single players ${percent(singles)}, all pairs and players together ` +
        `${percent(1 - explained.rest)}.`,
    };
  }

  const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  return {
    capitalised,
    explainedInWords,
    isExact,
    kindOf,
    linkInWords,
    measuresOf,
    nameOf,
    pictureLabel,
    playerLabel,
    selectionInWords,
    sentencesOf,
    sidesOf,
    signed,
    takesModel,
    unsigned,
    valueOf,
    worthOf,
  };
})();
