/* Listens to a stream of figures for as long as somebody looks, comes back after a drop, and says how it stands:
     "live"    the figures are of now
     "lost"    they are of an earlier moment, because the connection is gone or the server cannot read
     "absent"  there is no stream (too many viewers, an old browser): the page asks for itself
   axLive({ address, figures, alive, state }): address() gives the ticket's address, figures(event) takes what is new,
   alive(time) takes the moment at which everything shown was still true. */
(() => {
  "use strict";
  const SILENCE = 15000; // a stream says something every few seconds
  const WAIT = 1000;
  const LONGEST = 30000;
  const ABSENT = 45000;
  const spread = (wait) => wait * (0.5 + Math.random()); // not everybody comes back at once

  window.axLive = ({ address, figures, alive, state }) => {
    if (!window.EventSource) {
      state("absent");
      return;
    }
    let source = null;
    let silence = 0;
    let again = 0;
    let failures = 0;
    let last = "";

    function close() {
      clearTimeout(silence);
      clearTimeout(again);
      if (source) source.close();
      source = null;
    }

    function retry(wait) {
      close();
      again = setTimeout(open, spread(wait));
    }

    function lost() {
      state("lost");
      retry(Math.min(LONGEST, WAIT * 2 ** failures++));
    }

    function heard() {
      clearTimeout(silence);
      silence = setTimeout(lost, SILENCE);
    }

    function open() {
      close();
      if (document.hidden) return;
      const url = address();
      if (!url) {
        state("absent");
        return;
      }
      source = new EventSource(url + (last ? "&last=" + encodeURIComponent(last) : ""));
      heard();
      source.addEventListener("figures", (event) => {
        failures = 0;
        last = event.lastEventId;
        heard();
        figures(JSON.parse(event.data));
        state("live");
      });
      source.addEventListener("alive", (event) => {
        failures = 0;
        heard();
        alive(JSON.parse(event.data).at);
        state("live");
      });
      source.addEventListener("stale", () => {
        heard();
        state("lost");
      });
      source.addEventListener("end", () => {
        // another day, or not ours to see any more: the page itself says which
        close();
        setTimeout(() => window.location.reload(), spread(2000));
      });
      source.addEventListener("error", () => {
        if (source && source.readyState === EventSource.CLOSED) {
          state("absent");
          retry(ABSENT);
        } else if (source) lost();
      });
    }

    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    window.addEventListener("pagehide", close);
    window.addEventListener("pageshow", (event) => event.persisted && open());
    window.addEventListener("online", () => {
      failures = 0;
      open();
    });
    open();
  };
})();
