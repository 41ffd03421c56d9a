"use strict";

// What moves on the page: charts in the page's colours, and sliders.

const dark = matchMedia("(prefers-color-scheme: dark)");

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return { ink: read("--ink"), soft: read("--soft"), line: read("--line"), font: read("--font") };
}

function config() {
  const { ink, soft, line, font } = colours();
  return {
    background: "transparent",
    font,
    view: { stroke: null },
    axis: {
      labelColor: soft, titleColor: soft, gridColor: line, domainColor: line, tickColor: line,
      labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal", gridOpacity: 0.7,
    },
    legend: { labelColor: ink, titleColor: soft, labelFontSize: 12, symbolSize: 80 },
    rule: { color: ink },
  };
}

async function draw(place) {
  const spec = JSON.parse(place.nextElementSibling.textContent);
  const options = {
    actions: false, renderer: "svg", ast: true, config: config(),
    tooltip: { theme: "custom", maxHeight: 400 },
  };
  const shown = await window.vegaEmbed(place, spec, options);
  place.vega = shown;
}

async function drawAll() {
  for (const place of document.querySelectorAll(".chart")) {
    place.vega?.finalize();
    await draw(place);
  }
  document.documentElement.dataset.drawn = "yes";
}

function slide(slider) {
  const frames = [...slider.querySelectorAll(".frame")];
  const input = slider.querySelector("input");
  const output = slider.querySelector("output");
  const play = slider.querySelector(".play");
  let timer = null;

  function show() {
    frames.forEach((frame, i) => { frame.hidden = i !== Number(input.value); });
    const label = frames[Number(input.value)].dataset.label;
    output.textContent = `step ${label}`;
    input.setAttribute("aria-valuetext", label);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function next() {
    if (Number(input.value) === frames.length - 1) {
      stop();
    } else {
      input.value = Number(input.value) + 1;
      show();
    }
  }

  input.addEventListener("input", () => { stop(); show(); });
  play.addEventListener("click", () => {
    if (timer !== null) {
      stop();
      return;
    }
    if (Number(input.value) === frames.length - 1) input.value = 0;
    show();
    play.textContent = "Pause";
    timer = setInterval(next, 350);
  });
}

document.querySelectorAll(".slider").forEach(slide);
addEventListener("DOMContentLoaded", drawAll);
dark.addEventListener("change", drawAll);
