"use strict";
(() => {
  const WHOLE = -1; // the step that stands for the whole prediction
  const PACE = 700; // milliseconds a token while playing
  const SMALL = 14; // pixels on the screen below which a cell gets a ring, and the ring's radius
  const FEW = 8; // effective cells up to which they get one
  const END = "<end>";
  const get = (id) => document.getElementById(id);
  const data = JSON.parse(get("data").textContent);
  const records = data.images;
  const heat = get("heat");
  const stage = get("stage");
  const scroller = get("scroller");
  const chips = get("chips");
  let number = 0;
  let step = WHOLE;
  let timer = 0;
  let smooth = false;
  let pointed = null; // the fine cell below the pointer

  // ------------------------------------------------------------------ data

  /** The levels, 0 to 255 of each step's peak, from base64. */
  function levelsOf(maps) {
    maps.decoded ??= Uint8Array.from(atob(maps.levels), (byte) => byte.charCodeAt(0));
    return maps.decoded;
  }

  function weight(maps, at, cell) {
    return (levelsOf(maps)[at * maps.grid[0] * maps.grid[1] + cell] / 255) * maps.peaks[at];
  }

  /** Each cell's weight at a step; for the whole prediction its largest. */
  function mapAt(maps, at) {
    if (at === WHOLE) return wholeMap(maps);
    const map = new Float32Array(maps.grid[0] * maps.grid[1]);
    for (let cell = 0; cell < map.length; cell += 1) map[cell] = weight(maps, at, cell);
    return map;
  }

  function wholeMap(maps) {
    maps.whole ??= maps.peaks.reduce((most, _, t) => {
      mapAt(maps, t).forEach((value, cell) => { most[cell] = Math.max(most[cell], value); });
      return most;
    }, new Float32Array(maps.grid[0] * maps.grid[1]));
    return maps.whole;
  }

  // ------------------------------------------------------------------ text

  function make(tag, text, name) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  }

  function percent(p) {
    if (p === null) return "unknown";
    if (p > 0.9995) return "100 %";
    return p < 0.001 ? "< 0.1 %" : `${(100 * p).toFixed(1)} %`;
  }

  function nats(logp, digits) {
    if (logp === null) return "unknown";
    return (Math.abs(logp) < 0.5 * 10 ** -digits ? 0 : logp).toFixed(digits);
  }

  const probability = (logp) => (logp === null ? null : Math.exp(logp));
  const shown = (token) => (token === END ? "end" : token);
  const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;

  function facts(rows) {
    const list = make("dl", undefined, "facts");
    for (const [name, value] of rows) {
      const row = make("div");
      row.append(make("dt", name), make("dd", value));
      list.append(row);
    }
    return list;
  }

  // ------------------------------------------------------------------ drawing

  function draw() {
    const record = records[number];
    const box = stage.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    const [height, width] = record.size;
    heat.width = Math.max(1, Math.round(box.width * ratio));
    heat.height = Math.max(1, Math.round(box.height * ratio));
    const scale = heat.width / width;
    const context = heat.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    drawFine(context, record.fine, record.effective_cells[step], scale, style);
    if (record.coarse) drawCoarse(context, record.coarse, scale, style.getPropertyValue("--cell"));
    if (pointed !== null) {
      const [down, right] = record.fine.cell;
      const columns = record.fine.grid[1];
      context.strokeStyle = `rgb(${style.getPropertyValue("--cell")})`;
      context.lineWidth = ratio;
      const left = (pointed % columns) * right * scale;
      const top = Math.floor(pointed / columns) * down * scale;
      context.strokeRect(left, top, right * scale, down * scale);
    }
  }

  function drawFine(context, maps, spread, scale, style) {
    const [rows, columns] = maps.grid;
    const [down, right] = maps.cell;
    const colour = style.getPropertyValue("--heat");
    const [red, green, blue] = colour.split(",").map(Number);
    const gamma = Number(style.getPropertyValue("--gamma"));
    const map = mapAt(maps, step);
    const peak = map.reduce((most, value) => Math.max(most, value), 1e-12);
    const pixels = new ImageData(columns, rows);
    map.forEach((value, cell) => {
      pixels.data.set([red, green, blue, 230 * Math.pow(value / peak, gamma)], 4 * cell);
    });
    const small = document.createElement("canvas");
    small.width = columns;
    small.height = rows;
    small.getContext("2d").putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, columns * right * scale, rows * down * scale);
    const ratio = window.devicePixelRatio || 1;
    if (step === WHOLE || spread > FEW || right * scale >= SMALL * ratio) return;
    // A few cells of a large image are hardly visible: a ring around the largest weight.
    const best = map.indexOf(peak);
    const middle = [((best % columns) + 0.5) * right * scale, (Math.floor(best / columns) + 0.5) * down * scale];
    context.strokeStyle = `rgba(${colour}, 0.7)`;
    context.lineWidth = 1.5 * ratio;
    context.beginPath();
    context.arc(...middle, SMALL * ratio, 0, 2 * Math.PI);
    context.stroke();
  }

  /** Frames around the coarse cells by their probability; the chosen one stands out. */
  function drawCoarse(context, maps, scale, colour) {
    const columns = maps.grid[1];
    const [down, right] = maps.cell;
    const line = (window.devicePixelRatio || 1) * 1.5;
    mapAt(maps, step).forEach((p, cell) => {
      const chosen = step !== WHOLE && maps.chosen[step] === cell;
      if (p < 0.02 && !chosen) return;
      context.lineWidth = chosen ? 2 * line : line;
      context.strokeStyle = `rgba(${colour}, ${chosen ? 1 : 0.15 + 0.85 * p})`;
      const inset = context.lineWidth / 2;
      const left = (cell % columns) * right * scale;
      const top = Math.floor(cell / columns) * down * scale;
      // The last cell may reach beyond the image: its frame stays within.
      const wide = Math.min(right * scale, heat.width - left);
      const high = Math.min(down * scale, heat.height - top);
      context.strokeRect(left + inset, top + inset, wide - 2 * inset, high - 2 * inset);
      if (chosen) {
        context.fillStyle = `rgba(${colour}, 0.1)`;
        context.fillRect(left, top, wide, high);
      }
    });
  }

  /** Scrolls an image wider than the screen to the largest weight. */
  function follow() {
    if (step === WHOLE || scroller.scrollWidth <= scroller.clientWidth) return;
    const maps = records[number].fine;
    const map = mapAt(maps, step);
    const best = map.indexOf(map.reduce((most, value) => Math.max(most, value))) % maps.grid[1];
    const scale = stage.clientWidth / records[number].size[1];
    const middle = (best + 0.5) * maps.cell[1] * scale - scroller.clientWidth / 2;
    scroller.scrollTo({ left: middle, behavior: "auto" });
  }

  // ------------------------------------------------------------------ state

  function show(newStep, quiet) {
    const record = records[number];
    const length = record.tokens.length;
    step = Math.max(WHOLE, Math.min(newStep, length - 1));
    [...chips.children].forEach((chip, t) => {
      chip.setAttribute("aria-current", String(t === step));
      chip.tabIndex = t === Math.max(step, 0) ? 0 : -1;
    });
    get("slider").value = step + 1;
    get("place").textContent = step === WHOLE ? `${length} steps` : `${step + 1} / ${length}`;
    get("back").disabled = step === WHOLE;
    get("next").disabled = step === length - 1;
    describe();
    draw();
    follow();
    if (!quiet) remember();
  }

  function describe() {
    const record = records[number];
    const panel = get("step");
    const fine = record.fine;
    if (step === WHOLE) {
      const known = record.log_probability.filter((one) => one !== null);
      const total = known.length < record.log_probability.length ? null : known.reduce((sum, one) => sum + one, 0);
      const least = record.log_probability.indexOf(Math.min(...known));
      const rows = [
        ["probability", percent(probability(total))],
        ["log p", nats(total, 2)],
        ["look-ups per step", lookups(record, [0, 1].map((k) => mean(record.lookups.map((one) => one[k]))))],
        ["mean spread of attention", cells(record, mean(record.effective_cells))],
      ];
      if (least >= 0) rows.push(["least certain token", `${shown(record.tokens[least])}, step ${least + 1}`]);
      panel.replaceChildren(
        make("h3", `The whole prediction, ${plural(record.tokens.length, "step")}`), facts(rows),
        make("p", "Each cell shows its largest weight over all steps.", "top-k"));
      return;
    }
    const rows = [
      ["probability", percent(probability(record.log_probability[step]))],
      ["log p", nats(record.log_probability[step], 3)],
      ["look-ups", lookups(record, record.lookups[step])],
      ["spread of attention", cells(record, record.effective_cells[step])],
    ];
    if (record.lookups[step][1]) rows.push(["most on one cell", percent(fine.peaks[step])]);
    if (record.coarse) {
      const cell = record.coarse.chosen[step];
      const columns = record.coarse.grid[1];
      rows.push(["coarse cell", `row ${Math.floor(cell / columns) + 1}, column ${(cell % columns) + 1}, `
        + percent(weight(record.coarse, step, cell))]);
    }
    const topK = make("p", undefined, "top-k");
    topK.append(make("span", "most probable tokens:"));
    for (const [token, p] of record.top_k[step].filter(([, one], k) => k === 0 || one >= 0.001)) {
      const one = make("span");
      one.append(make("code", shown(token)), ` ${percent(p)}`);
      topK.append(one);
    }
    panel.replaceChildren(make("h3", shown(record.tokens[step])), facts(rows), topK);
  }

  function lookups(record, [coarse, fine]) {
    const text = `${Math.round(fine)} fine`;
    return coarse || record.coarse ? `${Math.round(coarse)} coarse + ${text}` : text;
  }

  function cells(record, spread) {
    if (spread === null) return "unknown";
    const kind = record.lookups.some(([, fine]) => fine) ? "cells" : "coarse cells";
    return `${spread < 10 ? spread.toFixed(1) : Math.round(spread)} ${kind}`;
  }

  function open(newNumber, newStep, quiet) {
    number = Math.max(0, Math.min(newNumber, records.length - 1));
    pointed = null;
    const record = records[number];
    const [height, width] = record.size;
    [...get("list").children].forEach((one, k) => one.setAttribute("aria-current", String(k === number)));
    get("list").children[number].scrollIntoView({ block: "nearest", inline: "nearest" });
    get("name").textContent = record.name;
    showScore(get("score"), record, true);
    const image = get("image");
    image.src = record.image;
    image.alt = `The preprocessed image, predicted as ${record.prediction}`;
    get("slider").max = record.tokens.length;
    chips.replaceChildren(...record.tokens.map((token, t) => {
      const chip = make("button", shown(token), token === END ? "end" : "");
      chip.type = "button";
      const p = probability(record.log_probability[t]);
      chip.style.setProperty("--doubt", `${Math.round(75 * (1 - (p ?? 0)))}%`);
      chip.classList.toggle("wrong", Boolean(record.gold && record.gold.wrong[t]));
      chip.title = `${shown(token)}: ${percent(p)}`;
      chip.addEventListener("click", () => { pause(); show(t); });
      chip.addEventListener("pointerenter", (event) => {
        if (event.pointerType === "mouse" && !timer) show(t);
      });
      return chip;
    }));
    texts(record);
    stage.style.aspectRatio = `${width} / ${height}`;
    fit();
    show(newStep, quiet);
  }

  /** As large as fits, at most three pixels for one, at least three quarters: then it scrolls. */
  function fit() {
    const [height, width] = records[number].size;
    const style = getComputedStyle(scroller);
    const room = scroller.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const scale = Math.min(room / width, 3, (0.45 * window.innerHeight) / height);
    stage.style.width = `${Math.round(width * Math.max(scale, 0.75))}px`;
  }

  function showScore(element, record, long) {
    element.className = long ? "" : "mark";
    element.textContent = "";
    if (record.gold) {
      const right = record.gold.edits === 0;
      element.classList.add(right ? "good" : "bad");
      if (long) element.textContent = right ? "right" : `wrong by ${plural(record.gold.edits, "token")}`;
      else element.textContent = right ? "✓" : "✗";
    }
    if (long && !record.finished) element.textContent += `${record.gold ? ", " : ""}cut off at the length limit`;
  }

  function texts(record) {
    const prediction = make("dd");
    prediction.append(make("code", record.prediction));
    const rows = [make("dt", "prediction"), prediction];
    if (record.rendered !== null) {
      const rendered = make("dd", record.rendered ? undefined : "cannot be rendered", "dim");
      if (record.rendered) {
        const image = make("img", undefined, "print");
        image.src = record.rendered;
        image.alt = "The rendered prediction";
        rendered.append(image);
      }
      rows.push(make("dt", "rendered"), rendered);
    }
    if (record.gold) {
      const label = make("dd");
      const code = make("code");
      record.gold.tokens.forEach((token, k) => {
        code.append(make("span", token, record.gold.missed[k] ? "missed" : ""), " ");
      });
      label.append(code);
      rows.push(make("dt", "label"), label);
    }
    get("texts").replaceChildren(...rows);
  }

  // ------------------------------------------------------------------ address

  let waiting = 0;

  /** The address names image and step, counted from 1. */
  function remember() {
    clearTimeout(waiting); // browsers allow few changes a second
    waiting = setTimeout(() => {
      const at = step === WHOLE ? "" : `&token=${step + 1}`;
      try { history.replaceState(null, "", `#image=${number + 1}${at}`); } catch { /* not everywhere */ }
    }, 200);
  }

  function fromAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    const whole = (name) => (parseInt(given.get(name), 10) || 0) - 1;
    open(whole("image"), whole("token"), true);
  }

  // ------------------------------------------------------------------ controls

  function pause() {
    clearInterval(timer);
    timer = 0;
    get("play").textContent = "Play";
  }

  function play() {
    if (timer) { pause(); return; }
    const last = () => records[number].tokens.length - 1;
    show(step >= last() ? 0 : step + 1);
    get("play").textContent = "Pause";
    timer = setInterval(() => {
      if (step >= last()) pause();
      else show(step + 1);
    }, PACE);
  }

  function cellAt(event) {
    const box = stage.getBoundingClientRect();
    const maps = records[number].fine;
    const scale = box.width / records[number].size[1];
    const row = Math.floor((event.clientY - box.top) / (maps.cell[0] * scale));
    const column = Math.floor((event.clientX - box.left) / (maps.cell[1] * scale));
    const inside = row >= 0 && column >= 0 && row < maps.grid[0] && column < maps.grid[1];
    return inside ? row * maps.grid[1] + column : null;
  }

  /** Underlines the tokens that attend to a cell. */
  function point(cell) {
    pointed = cell;
    const maps = records[number].fine;
    [...chips.children].forEach((chip, t) => {
      const here = cell === null ? 0 : Math.min(1, 1.5 * Math.sqrt(weight(maps, t, cell)));
      chip.style.setProperty("--here", here.toFixed(2));
    });
    draw();
  }

  stage.addEventListener("pointermove", (event) => point(cellAt(event)));
  stage.addEventListener("pointerleave", () => point(null));
  stage.addEventListener("click", (event) => {
    const cell = cellAt(event);
    if (cell === null) return;
    const maps = records[number].fine;
    const weights = maps.peaks.map((_, t) => weight(maps, t, cell));
    pause();
    show(weights.indexOf(Math.max(...weights)));
  });
  get("play").addEventListener("click", play);
  get("back").addEventListener("click", () => { pause(); show(step - 1); });
  get("next").addEventListener("click", () => { pause(); show(step + 1); });
  get("slider").addEventListener("input", () => { pause(); show(Number(get("slider").value) - 1); });
  get("smooth").addEventListener("click", () => {
    smooth = !smooth;
    get("smooth").setAttribute("aria-pressed", String(smooth));
    draw();
  });
  get("theme").addEventListener("click", () => {
    const next = { auto: "light", light: "dark", dark: "auto" };
    const theme = next[document.documentElement.dataset.theme ?? "auto"];
    document.documentElement.dataset.theme = theme;
    get("theme").textContent = `Theme: ${theme}`;
    draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
    const last = records[number].tokens.length - 1;
    const steps = {
      ArrowLeft: step - 1, ArrowRight: Math.min(step + 1, last), Home: 0, End: last, Escape: WHOLE,
    };
    if (event.key in steps) {
      pause();
      show(steps[event.key]);
      if (chips.contains(document.activeElement)) chips.children[Math.max(step, 0)].focus();
    } else if (records.length > 1 && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      pause();
      open(number + (event.key === "ArrowUp" ? -1 : 1), WHOLE);
      if (get("list").contains(document.activeElement)) get("list").children[number].focus();
    } else if (event.key === " " && (!event.target.matches("button") || chips.contains(event.target))) {
      play();
    } else return;
    event.preventDefault();
  });
  // Some browsers press a button when the space bar comes up again.
  chips.addEventListener("keyup", (event) => { if (event.key === " ") event.preventDefault(); });
  addEventListener("hashchange", fromAddress);
  addEventListener("resize", () => { fit(); draw(); });

  get("about").textContent = data.about.map(([name, value]) => `${name}: ${value}`).join(" · ");
  get("layout").classList.toggle("several", records.length > 1);
  get("list").replaceChildren(...records.map((record, k) => {
    const item = make("button");
    item.type = "button";
    const image = make("img");
    image.src = record.image;
    image.alt = "";
    const line = make("span", record.name);
    line.title = record.name;
    const mark = make("b");
    showScore(mark, record, false);
    line.prepend(mark);
    item.append(image, line);
    item.addEventListener("click", () => { pause(); open(k, WHOLE); });
    return item;
  }));
  fromAddress();
})();
