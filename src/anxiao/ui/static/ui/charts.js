/* Draws every [data-chart] from the JSON beside it. Colours come from the tokens, so the same file serves the light
   console and the dark wall. Canvas and rich-text tooltips only: ECharts' HTML tooltips carry style attributes, which our
   content policy refuses. */
(function () {
  "use strict";
  const shown = new WeakMap();
  const quiet = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  // a second sign besides colour, in the order in which series come
  const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin"];

  function token(element, name) {
    return getComputedStyle(element).getPropertyValue("--ax-" + name).trim();
  }
  function fill(element, tone) {
    return token(element, tone === "brand" ? "brand" : tone + "-fill") || token(element, "brand");
  }
  const grouped = (value) => (value === null || value === undefined || value === "-" ? "–" : Number(value).toLocaleString("en-US"));

  function options(box, spec) {
    const ink = token(box, "ink");
    const soft = token(box, "ink-3");
    const line = token(box, "line");
    const font = getComputedStyle(document.body).fontFamily;
    const size = Math.max(12, Math.round(parseFloat(getComputedStyle(box).fontSize) * 0.85)); // larger where the text around is
    const category = {
      type: "category",
      data: spec.labels,
      inverse: spec.horizontal,
      axisLine: { lineStyle: { color: line } },
      axisTick: { show: false },
      axisLabel: { color: soft, fontSize: size, hideOverlap: true, width: spec.horizontal ? 120 : undefined, overflow: "truncate" },
    };
    const value = {
      type: "value",
      minInterval: 1,
      name: spec.unit,
      nameTextStyle: { color: soft, fontSize: size, align: "right", padding: [0, 6, 0, 0] },
      axisLabel: { color: soft, fontSize: size, formatter: grouped },
      splitLine: { lineStyle: { color: line } },
    };
    const series = spec.series.map((entry, index) => {
      const colour = fill(box, entry.tone);
      const base = {
        name: entry.name,
        type: entry.kind,
        data: entry.values,
        stack: entry.stack || undefined,
        itemStyle: { color: colour },
        emphasis: { focus: "none" },
      };
      if (entry.kind === "bar") {
        base.barMaxWidth = 28;
        base.itemStyle.borderRadius = entry.stack ? 0 : spec.horizontal ? [0, 3, 3, 0] : [3, 3, 0, 0];
        if (entry.tone === "missing")
          base.itemStyle.decal = { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: Math.PI / 4, color: "rgba(255,255,255,0.55)" };
      } else {
        base.symbol = SYMBOLS[index % SYMBOLS.length];
        base.symbolSize = 6;
        base.showSymbol = spec.labels.length <= 14 && !entry.dashed;
        base.lineStyle = { color: colour, width: entry.dashed ? 1.75 : 2.5, type: entry.dashed ? "dashed" : "solid" };
        base.connectNulls = false;
        base.z = 3;
      }
      if (index === 0 && spec.mark)
        base.markLine = {
          silent: true,
          symbol: "none",
          lineStyle: { color: ink, type: "solid", width: 1.25, opacity: 0.65 },
          label: { formatter: spec.mark_label || spec.mark, color: ink, fontSize: size, fontFamily: font, position: "end" },
          data: [spec.horizontal ? { yAxis: spec.mark } : { xAxis: spec.mark }],
        };
      return base;
    });
    return {
      animation: !quiet,
      animationDuration: 300,
      textStyle: { fontFamily: font, color: ink },
      grid: { left: 8, right: 16, top: spec.series.length > 1 ? 56 : 36, bottom: 4, containLabel: true },
      legend: { show: spec.series.length > 1, left: 0, top: 0, itemWidth: 22, itemGap: 18, textStyle: { color: ink, fontSize: size + 1, fontFamily: font } },
      tooltip: {
        trigger: "axis",
        renderMode: "richText",
        confine: true,
        backgroundColor: token(box, "paper"),
        borderColor: token(box, "line-strong"),
        textStyle: { color: ink, fontSize: size + 1, fontFamily: font },
        valueFormatter: grouped,
        axisPointer: { type: "shadow", shadowStyle: { color: soft, opacity: 0.1 } },
      },
      xAxis: spec.horizontal ? value : category,
      yAxis: spec.horizontal ? category : value,
      series: series,
    };
  }

  function draw(box) {
    const data = document.getElementById(box.dataset.chart);
    if (!data || !window.echarts) return;
    let chart = shown.get(box);
    if (!chart) {
      chart = window.echarts.init(box, null, { renderer: "canvas" });
      shown.set(box, chart);
      new ResizeObserver(() => chart.resize()).observe(box);
    }
    chart.setOption(options(box, JSON.parse(data.textContent)), true);
  }
  function drawAll() {
    for (const box of document.querySelectorAll("[data-chart]")) if (!shown.has(box)) draw(box);
  }
  drawAll();
  // pages replaced in part by htmx (2: afterSwap, 4: after:swap) or by polling bring new charts with them
  for (const name of ["htmx:afterSwap", "htmx:after:swap", "ax:done", "ax:draw"]) document.addEventListener(name, drawAll);
  // the wall updates numbers in place: change the JSON, then document.dispatchEvent(new CustomEvent("ax:redraw"))
  document.addEventListener("ax:redraw", () => {
    for (const box of document.querySelectorAll("[data-chart]")) draw(box);
  });
})();
