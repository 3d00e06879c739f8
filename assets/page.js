/* What the page does without the server: its address, and videos that the browser cannot play. */
"use strict";

globalThis.hbiPage = (() => {
  const NOTE = "codec-note";
  const PLAYERS = "#video, #other-video";
  const SHOWN_FRAMES = 6;
  const FIRST = "figure"; // that of Explain, which shows an example at first
  const OWN = "own"; // a visitor's video, which is in no address
  const NOBODY = { left_out: [], chosen: [] };
  const asked = new URLSearchParams(location.search); // before anything is written there

  const openTab = () =>
    document.querySelector("#tabs button[role=tab][aria-selected=true]")?.id.replace(/-button$/, "");

  /** The address of the page with this query and the open tab; the browser shows it too. */
  function address(query) {
    const url = new URL(location.href);
    const theme = url.searchParams.get("__theme");
    url.search = query;
    const tab = openTab();
    if (tab && tab !== "graphs") url.searchParams.set("tab", tab);
    else url.searchParams.delete("tab");
    if (theme) url.searchParams.set("__theme", theme);
    history.replaceState(null, "", url);
    return url.href;
  }

  /** As `address`, and into the clipboard, where the browser lets a page do so. */
  function copied(query) {
    const link = address(query);
    navigator.clipboard?.writeText(link).catch(() => {});
    return link;
  }

  /** What a figure shows, a view; by the id of its component. */
  const viewOf = (id) => {
    const root = document.querySelector(`#${id} .hbi-figure`);
    return root?.hbiView ?? root?.hbiContrast;
  };

  const unsent = new Set(); // figures whose settings the server has yet to be told, by their ids
  const unkept = new Set(); // those whose settings are on their way to it
  const clicks = []; // that count with settings

  /** A figure shows something else, which the server is to keep. */
  const changed = (id) => unsent.add(id);

  /** The settings of what a figure shows, a FigureView, for the server. */
  function sent(id) {
    unsent.delete(id);
    unkept.add(id);
    return viewOf(id).view;
  }

  /** The server has kept what it was sent of a figure, or failed to. */
  function kept(id) {
    unkept.delete(id);
    if (!unsent.size && !unkept.size) for (const go of clicks.splice(0)) go();
  }

  /** The values of a click, once the server keeps what is seen: its line may be slow. */
  const settled = (...values) =>
    new Promise((go) => (unsent.size || unkept.size ? clicks.push(() => go(values)) : go(values)));

  const waiting = {}; // what is done when a figure next shows something, by its id

  const whenRedrawn = (id, act) => (waiting[id] ??= []).push(act);

  function whenDrawn(id, act) {
    if (viewOf(id)?.data) act(viewOf(id));
    else whenRedrawn(id, act);
  }

  /** Open a tab; where there is no room for it, gradio has it in a menu, by its title only. */
  function open(tab, title) {
    const menu = [...document.querySelectorAll("#tabs .overflow-dropdown button")];
    const button = document.getElementById(`${tab}-button`);
    (button ?? menu.find((one) => one.textContent.trim() === title))?.click();
  }

  /** Another tab is open: what was drawn while it was hidden fills its width, and the address says so. */
  function turned() {
    setTimeout(() => {
      window.dispatchEvent(new Event("resize"));
      address(location.search);
    }, 50);
  }

  /**
   * What the address asks once its values are there: what figures show (JSON, by their ids), a tab, the
   * explanation, and the answer of that tab. `titles` has those of the tabs by their names in the address.
   */
  function opened(views, titles) {
    const tab = asked.get("tab");
    if (Object.hasOwn(titles, tab)) open(tab, titles[tab]);
    const explains = asked.has("explain");
    const meanwhile = explains || asked.get("video") === OWN; // the example that is shown has other players
    for (const [id, view] of Object.entries(JSON.parse(views || "{}"))) {
      if (id === FIRST) whenDrawn(id, (figure) => figure.setView(meanwhile ? { ...view, ...NOBODY } : view));
      if (id !== FIRST || meanwhile) whenRedrawn(id, (figure) => figure.setView(view));
    }
    if (!explains) return;
    const answers = asked.get("answered")?.split(",").includes(tab);
    if (answers) whenRedrawn(FIRST, () => document.querySelector(`#${tab} button.primary`).click());
    document.querySelector("#explain").click();
  }

  /** Pictures of the video in a player, from a figure that shows it. */
  function frames(video) {
    const name = decodeURIComponent(new URL(video.currentSrc).pathname.split("/").pop());
    const figures = [...document.querySelectorAll(".hbi-view")];
    const videos = figures.map((figure) => figure.hbiView?.data?.explanation.video);
    const pictures = videos.find((shown) => shown?.name === name)?.thumbnails ?? [];
    const step = Math.max(1, pictures.length / SHOWN_FRAMES);
    return pictures.filter((_, index) => Math.floor(index % step) === 0).slice(0, SHOWN_FRAMES);
  }

  const noteOf = (video) => video.closest(PLAYERS).querySelector(`.${NOTE}`);

  function madeNote(video) {
    const made = document.createElement("div");
    made.className = NOTE;
    made.setAttribute("role", "status");
    video.closest(PLAYERS).append(made);
    return made;
  }

  /** Say why the picture is missing, and show the frames that the server has read. */
  function cannotPlay(video) {
    const text = document.createElement("p");
    text.textContent =
      "This browser has no decoder for the video, so it does not play here. Everything else works " +
      "all the same: the server has its own decoder, and the frames that it looks at stand in here " +
      "once it has read them. To play it, save it as MP4 with H.264.";
    const pictures = frames(video).map((source) => {
      const picture = document.createElement("img");
      picture.src = source;
      picture.alt = "";
      return picture;
    });
    (noteOf(video) ?? madeNote(video)).replaceChildren(text, ...pictures);
  }

  const isOurs = (element) => element instanceof HTMLVideoElement && element.closest(PLAYERS);

  /** Watch the players, whichever elements gradio makes for them. */
  function watchPlayers() {
    const watch = (event, act) =>
      document.addEventListener(event, (told) => isOurs(told.target) && act(told.target, told), true);
    watch("error", (video, told) => {
      if (!video.currentSrc) return;
      told.stopPropagation(); // gradio would only say that it is not playable
      cannotPlay(video);
    });
    watch("loadedmetadata", (video) => (video.videoWidth ? noteOf(video)?.remove() : cannotPlay(video)));
    watch("emptied", (video) => noteOf(video)?.remove());
  }

  /** A figure shows something else: what waits for it is done, and its frames may have to stand in. */
  function redrawn(id) {
    for (const video of document.querySelectorAll("video"))
      if (isOurs(video) && noteOf(video)) cannotPlay(video);
    waiting[id]?.shift()?.(viewOf(id));
  }

  watchPlayers();
  return { NOBODY, address, changed, copied, kept, open, opened, redrawn, sent, settled, turned };
})();
