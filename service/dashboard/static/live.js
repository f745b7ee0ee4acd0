// Keeps a page up to date without reloading it: fetches the same page again and swaps the parts marked data-live.
// Links to a trial, and points of the figure, select it in the address, so that a selection can be sent to somebody.
(() => {
  "use strict";
  const main = document.querySelector("main");
  const watched = document.querySelector("[data-events]");
  let busy = false, again = false, pause = 500;

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    const began = performance.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* the service is being restarted: the next event or tick tries again */ } finally {
      busy = false;
      pause = Math.max(500, 5 * (performance.now() - began)); // a long page is fetched less often
      if (again) { again = false; setTimeout(refresh, 300); }
    }
  }

  function swap(page) {
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh || fresh.outerHTML === part.outerHTML) continue;
      const focused = document.activeElement && part.contains(document.activeElement) && document.activeElement.id;
      const height = part.querySelector(".scroll")?.scrollTop ?? 0;
      part.replaceWith(document.adoptNode(fresh));
      const scroll = fresh.querySelector(".scroll");
      if (scroll) scroll.scrollTop = height;
      if (focused) document.getElementById(focused)?.focus();
      if (fresh.matches("script")) redraw(fresh.closest("figure"));
    }
    if (page.querySelector("[data-over]") && !document.querySelector("[data-over]")) location.reload();
  }

  function redraw(figure) {
    window.fitwright.draw(figure);
    const plot = figure.querySelector(".plot");
    if (!figure.dataset.pick || plot.dataset.ready || !plot.on) return;
    plot.dataset.ready = "yes";
    plot.on("plotly_click", (event) => {
      const number = event.points[0].customdata;
      if (Number.isInteger(number) && number >= 0) select(number);
    });
  }

  function select(number) {
    const address = new URL(location.href);
    address.searchParams.set("trial", number);
    address.hash = "";
    history.pushState(null, "", address);
    refresh().then(() => document.getElementById("trial")?.scrollIntoView({ block: "nearest", behavior: "smooth" }));
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-trial]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    select(link.dataset.trial);
  });
  addEventListener("popstate", refresh);
  document.querySelectorAll("figure[data-pick]").forEach(redraw);

  if (watched) {
    let timer = 0;
    const soon = () => { if (!document.hidden) timer ||= setTimeout(() => { timer = 0; refresh(); }, pause); };
    const events = new EventSource(watched.dataset.events);
    for (const kind of ["state", "progress", "trial", "best", "finalist"]) events.addEventListener(kind, soon);
    events.addEventListener("end", () => { events.close(); refresh(); });
    events.onerror = soon;
    addEventListener("pagehide", () => events.close());
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  const seconds = Number(main.querySelector("[data-refresh]")?.dataset.refresh);
  if (seconds) setInterval(() => { if (!document.hidden) refresh(); }, 1000 * seconds);
})();
