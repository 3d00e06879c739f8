/* What the page does without the server: its address, and videos that the browser cannot play. */
"use strict";

globalThis.hbiPage = (() => {
  const NOTE = "codec-note";
  const PLAYERS = "#video, #other-video";
  const SHOWN_FRAMES = 6;
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

  const figure = () => document.querySelector("#figure .hbi-figure")?.hbiView;

  /** The view of the figure, once it shows something, and something else than these data. */
  function whenDrawn(act, data = undefined, attempts = 1200) {
    const view = figure();
    if (view?.data && view.data !== data) act(view);
    else if (attempts) setTimeout(() => whenDrawn(act, data, attempts - 1), 100);
  }

  /** Open a tab; where there is no room for it, gradio has it in a menu, by its title only. */
  function open(tab, title) {
    const menu = [...document.querySelectorAll("#tabs .overflow-dropdown button")];
    const button = document.getElementById(`${tab}-button`);
    (button ?? menu.find((one) => one.textContent.trim() === title))?.click();
  }

  /**
   * What the address asks once its values are there: filters (JSON), a tab, the explanation.
   * `titles` has those of the tabs by the names that stand in the address.
   */
  function opened(filters, titles) {
    const tab = asked.get("tab");
    if (Object.hasOwn(titles, tab)) open(tab, titles[tab]);
    const shown = filters ? JSON.parse(filters) : null;
    const explains = asked.has("explain");
    if (shown) whenDrawn((view) => view.setView(explains ? { ...shown, left_out: [] } : shown));
    // Who is left out is known by number, of the explanation that is asked for.
    if (shown?.left_out.length && explains) whenDrawn((view) => view.setView(shown), figure()?.data);
    if (explains) document.querySelector("#explain").click();
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

  /** A figure shows another video: its frames may be those that have to stand in. */
  function redrawn() {
    for (const video of document.querySelectorAll("video"))
      if (isOurs(video) && noteOf(video)) cannotPlay(video);
  }

  watchPlayers();
  return { address, copied, opened, redrawn };
})();
