/* Which links of a level are shown, and how strong: what hbi_core/figures/shown_links.py says, here.
 *
 * `data` is what hbi_core/figures/coalition_html.py gives: {explanation, pairs, grades, outlier,
 * faded_words, view}. A view has the fields of FigureView. With `beside`, by level {level, video, text,
 * pairs}, what shares are taken of is the highest of that level, too; for each player of a side, the
 * index of the same player there, or null.
 */
globalThis.hbi ??= {};

globalThis.hbi.links = (() => {
  "use strict";
  const NOTHING = Object.freeze({ level: null, video: [], text: [] }); // where no player is chosen

  /** "action/video/0", as the coalition graph names players. */
  const playerId = (level, side, index) => `${level}/${side}/${index}`;

  const bySide = (of) => ({ video: of("video"), text: of("text") });

  /** Of players by name those of a side of a level, by index and increasing; a level may have no such one. */
  function indicesOf(names, level, side) {
    const known = [...level[`${side}_tokens`].keys()];
    return known.filter((index) => names.includes(playerId(level.name, side, index)));
  }

  /** Those of the players by name that levels have. */
  const playersOf = (names, levels) => {
    const of = (level) => namesIn({ level: level.name, ...bySide((side) => indicesOf(names, level, side)) });
    return levels.flatMap(of);
  };

  /** Players of a level by name: those of the first level that has any. */
  function selectionOf(names, levels) {
    const of = (level) => ({ level: level.name, ...bySide((side) => indicesOf(names, level, side)) });
    return levels.map(of).find(({ video, text }) => video.length + text.length) ?? NOTHING;
  }

  /** The names of such players. */
  const namesIn = (selection) =>
    ["video", "text"].flatMap((side) => selection[side].map((index) => playerId(selection.level, side, index)));

  /** The measure of every cross link, [V][T]. */
  function measured(level, measure) {
    if (measure === "interaction") return level.interactions;
    if (measure === "cosine") return level.similarity;
    const ours = standard(level.interactions);
    const cosines = standard(level.similarity);
    return ours.map((row, video) => row.map((value, text) => value - cosines[video][text]));
  }

  /** Standard scores; all 0 where all values are equal. */
  function standard(rows) {
    const all = rows.flat();
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length;
    const deviation = Math.sqrt(variance);
    const flat = deviation <= 1e-12 * Math.max(...all.map(Math.abs));
    return rows.map((row) => row.map((value) => (flat ? 0 : (value - mean) / deviation)));
  }

  /** What shares are taken of: the highest that is no outlier; see grades.reference_of. */
  function referenceOf(values, sign, grades) {
    const signed = sign === "negative" ? values.map((value) => -value) : values;
    const highest = signed.filter((value) => value > 0).sort((one, other) => other - one);
    if (!highest.length) return Math.max(...values.map(Math.abs));
    const most = highest.length > 2 ? Math.max(1, Math.floor(highest.length / 20)) : 0;
    const gap = grades.at(-3).least;
    let reference = highest[0];
    for (let place = 0; place < most; place += 1) {
      if (highest[place + 1] < gap * highest[place]) reference = highest[place + 1];
    }
    return reference;
  }

  function gradeOf(share, negative, alone, data) {
    if (negative && !alone) return data.grades.at(-1);
    const grade = share > 1 ? data.outlier : data.grades.find(({ least }) => share >= least);
    return negative ? { ...grade, dotted: true } : grade;
  }

  const OF_SIGN = {
    both: () => true,
    positive: (value) => value > 0,
    negative: (value) => value < 0,
  };

  /** The cells of links of one kind, with value, place and reference each. */
  function cellsOf(level, view, data) {
    const values = measured(level, view.measure);
    const cross = values.flatMap((row, video) =>
      row.map((value, text) => ({ kind: "cross", first: video, second: text, value })),
    );
    const sides = view.sides && view.measure === "interaction";
    const pairsOf = (pairs) => (sides && pairs ? withinSides(pairs) : []);
    const within = pairsOf(data.pairs?.[level.name]);
    const beside = data.beside?.[level.name]; // the same level of what is drawn on the same scales
    const others = beside ? measured(beside.level, view.measure) : [];
    const everything = [...cross, ...within.flat(), ...pairsOf(beside?.pairs).flat()].map(({ value }) => value);
    const reference = (some) => referenceOf(some, view.sign, data.grades);
    const ofLevel = reference([...everything, ...others.flat()]);
    const column = (rows, text) => (text == null ? [] : rows.map((row) => row[text]));
    const ofWord = (text) => reference([...column(values, text), ...column(others, beside?.text[text])]);
    const ofFrame = (row, video) => reference([...row, ...(others[beside?.video[video]] ?? [])]);
    const scales = {
      level: () => ofLevel,
      word: byIndex(values[0].map((_, text) => ofWord(text)), "second"),
      frame: byIndex(values.map(ofFrame), "first"),
    };
    for (const cell of cross) cell.reference = scales[view.scale](cell);
    for (const cell of within.flat()) cell.reference = ofLevel;
    return [...within, cross];
  }

  const byIndex = (references, end) => (cell) => references[cell[end]];

  /** The pairs within the video and within the text side. */
  function withinSides(pairs) {
    return ["video", "text"].map((kind) =>
      pairs[kind].flatMap((row, first) =>
        row.flatMap((value, second) => (second > first ? [{ kind, first, second, value }] : [])),
      ),
    );
  }

  /** The links of a level that a view shows, the weakest first: the order to draw them in. */
  function shownLinks(level, view, data) {
    const order = rankOf(level);
    return cellsOf(level, view, data).flatMap((cells) => {
      const kept = filtered(cells, view);
      const signed = (link) => (view.sign === "both" && link.value < 0 ? -link.share : link.share);
      return kept
        .map((link, place) => ({ link, place }))
        .sort((a, b) => signed(a.link) - signed(b.link) || b.place - a.place)
        .map(({ link }) => complete(link, level, view, data, order));
    });
  }

  function filtered(cells, view) {
    for (const cell of cells) {
      const strength = Math.abs(cell.value);
      cell.share = strength > 0 ? strength / cell.reference : 0;
    }
    const candidates = cells
      .filter((cell) => OF_SIGN[view.sign](cell.value))
      .sort((one, other) => Math.abs(other.value) - Math.abs(one.value));
    const perWord = new Map();
    const kept = new Set();
    candidates.forEach((cell, place) => {
      const placeOfWord = perWord.get(cell.second) ?? 0;
      perWord.set(cell.second, placeOfWord + 1);
      const ofWord = cell.kind === "cross" ? placeOfWord : 0;
      if (view.top !== null && place >= view.top) return;
      if (view.top_per_word !== null && ofWord >= view.top_per_word) return;
      if (cell.share >= view.threshold) kept.add(cell);
    });
    return cells.filter((cell) => kept.has(cell));
  }

  function complete(link, level, view, data, order) {
    const { kind, first, second, value, share } = link;
    const cross = kind === "cross";
    const ends = cross ? ["video", "text"] : [kind, kind];
    const names = [playerId(level.name, ends[0], first), playerId(level.name, ends[1], second)];
    return {
      id: names.join("--"),
      ends: names,
      kind,
      first,
      second,
      value,
      share,
      interaction: cross ? level.interactions[first][second] : value,
      similarity: cross ? level.similarity[first][second] : null,
      rank: cross ? order[first][second] : null,
      grade: gradeOf(share, value < 0, view.sign === "negative", data),
    };
  }

  /** Ranks of the interactions of a level, 1 the strongest; ties in reading order. */
  function rankOf(level) {
    const columns = level.text_tokens.length;
    const flat = level.interactions.flat();
    const rank = level.interactions.map((row) => row.map(() => 0));
    [...flat.keys()]
      .sort((one, other) => flat[other] - flat[one])
      .forEach((cell, place) => {
        rank[Math.floor(cell / columns)][cell % columns] = place + 1;
      });
    return rank;
  }

  /** The words that were read: those of the entity level, unless its players are phrases. */
  const wordsOf = (explanation) =>
    explanation.words ?? explanation.levels[0].text_tokens.map(({ text }) => text);

  /** Whether a text player is of function words alone. */
  const isFaded = (token, data) => token.words.every((word) => data.faded_words.includes(word));

  /** The classes of what stands for a player; in a difference, A alone or B alone may own it. */
  const classOf = ({ owner }, side, faded) =>
    ["hbi-player", `hbi-${side}`, faded && "hbi-faded", owner && `hbi-owner-${owner}`].filter(Boolean).join(" ");

  /** What players stand for: frames of a video player, words of a text player. */
  const membersOf = (token) => token.frames ?? token.words;

  return {
    NOTHING,
    playerId,
    indicesOf,
    selectionOf,
    playersOf,
    namesIn,
    bySide,
    measured,
    referenceOf,
    shownLinks,
    rankOf,
    wordsOf,
    isFaded,
    classOf,
    membersOf,
    withinSides,
  };
})();
