// Shows one dance inside `root`: a skeleton on a canvas in time with its sound, and controls.
//
// Until this runs, `root` holds a film strip and a plain audio element, which is all that a page
// without scripts shows. Nothing here touches the rest of the page; a player that starts asks the
// others to pause by an event. World frame: y up, metres; at azimuth 0 the viewer stands on +z.
function showDance(root, dance) {
  "use strict";
  const INK = { left: "#0072B2", right: "#D55E00", middle: "#3A3A3A" };
  const GRID = "#D5D9DE", SHADOW = "#E4E7EA", BEAT = "#009E73", TEXT = "#44484D";
  const HEIGHT = 340, TIMELINE = 16, TILT = 0.2, DISTANCE = 7, STARTS = "pasdedeux:starts";
  const TURN_SECONDS = 12, FLASH_SECONDS = 0.2, STEP_SECONDS = 0.5;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const last = dance.frames - 1, seconds = last / dance.rate_hz;

  const unpack = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const metres = (_, place) => view.getInt16(2 * place, true) / 1000;
    return Float32Array.from({ length: bytes.length / 2 }, metres);
  };
  const dancers = dance.dancers.map((d) => ({ ...d, joints: unpack(d.joints) }));
  const panels = dance.panels.map((p) => ({ ...p, centres: unpack(p.centres) }));

  // ---- what the person sees and touches
  const make = (tag, parent, settings = {}, style = "") => {
    const element = Object.assign(document.createElement(tag), settings);
    element.style.cssText = style;
    parent.append(element);
    return element;
  };
  let audio = root.querySelector("audio");
  if (audio) { audio.controls = false; audio.style.display = "none"; }
  root.querySelector("img").style.display = "none";
  root.tabIndex = 0;
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab: keys belong to the player while it has focus
  const canvas = make("canvas", root, { role: "img" },
    "display:block;width:100%;touch-action:pan-y;cursor:grab");
  canvas.setAttribute("aria-label", dance.description);
  const bar = make("div", root, {},
    "display:flex;flex-wrap:wrap;gap:0.5em;align-items:center;padding:0.3em 0");
  const button = make("button", bar, { type: "button" }, "min-width:5.2em;font:inherit");
  const range = { type: "range", min: 0, max: last, step: 1, value: 0 };
  const slider = make("input", bar, range, "flex:1;min-width:9em");
  slider.setAttribute("aria-label", "Position in the dance");
  const clock = make("output", bar, {}, "min-width:9.5em;font-variant-numeric:tabular-nums");
  const choose = (label, choices) => {
    const select = make("select", bar, {}, "font:inherit");
    select.setAttribute("aria-label", label);
    for (const [value, name] of choices) make("option", select, { value, textContent: name });
    return select;
  };
  const view = choose("View", [["front", "front"], ["side", "side"], ["turning", "turning"]]);
  const speed = choose("Speed", [["1", "speed 1"], ["0.5", "speed ½"], ["0.25", "speed ¼"]]);

  // ---- time: the sound's when there is one, else our own
  let now = 0, playing = false, before = 0, azimuth = 0, awaited = 0;
  const beatsUntil = (time) => dance.beat_seconds.filter((beat) => beat <= time + 1e-6).length;

  function seek(time) {
    now = Math.min(Math.max(time, 0), seconds);
    if (audio) audio.currentTime = now;
    if (audio && playing && audio.paused) audio.play().catch(() => {}); // its end was passed before
    draw();
  }

  function pause() {
    playing = false;
    if (audio) audio.pause();
    draw();
  }

  function play() {
    if (now >= seconds) seek(0);
    document.dispatchEvent(new CustomEvent(STARTS, { detail: root }));
    playing = true;
    before = performance.now();
    if (audio) {
      audio.playbackRate = Number(speed.value);
      audio.play().catch((error) => { if (error.name === "NotSupportedError") audio = null; });
    }
    cancelAnimationFrame(awaited);
    awaited = requestAnimationFrame(tick);
  }

  function tick(stamp) {
    if (!playing) return;
    if (!root.isConnected) { pause(); return; }
    const passed = Math.max(0, stamp - before) / 1000;
    before = stamp;
    const sounding = audio && !audio.ended && audio.readyState > 1;
    now = sounding && !audio.paused ? audio.currentTime : now + passed * Number(speed.value);
    if (view.value === "turning" && !still.matches) azimuth += (2 * Math.PI * passed) / TURN_SECONDS;
    if (now >= seconds) { now = seconds; pause(); return; }
    draw();
    awaited = requestAnimationFrame(tick);
  }

  // ---- drawing
  function draw() {
    const width = Math.max(240, canvas.clientWidth || root.clientWidth);
    const dots = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * dots)) {
      canvas.width = Math.round(width * dots);
      canvas.height = HEIGHT * dots;
      canvas.style.height = `${HEIGHT}px`;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    pen.fillStyle = "#FFFFFF";
    pen.fillRect(0, 0, width, HEIGHT);
    panels.forEach((panel, place) => drawPanel(pen, panel, place, width / panels.length));
    drawTimeline(pen, width);
    button.textContent = playing ? "Pause" : "Play";
    slider.value = Math.round(now * dance.rate_hz);
    const beats = dance.beat_seconds.length;
    const count = beats ? `, beat ${beatsUntil(now)}/${beats}` : "";
    clock.textContent = `${now.toFixed(2)} / ${seconds.toFixed(2)} s${count}`;
    slider.setAttribute("aria-valuetext", `${now.toFixed(1)} of ${seconds.toFixed(1)} seconds`);
  }

  function between(values, stride, offset) {
    const exact = Math.min(now * dance.rate_hz, last);
    const low = Math.floor(exact), high = Math.min(low + 1, last);
    const a = values[low * stride + offset], b = values[high * stride + offset];
    return a + (exact - low) * (b - a);
  }

  function drawPanel(pen, panel, place, width) {
    const tall = dance.top_metres - dance.floor_metres, ground = HEIGHT - TIMELINE - 34;
    const scale = Math.min((ground - 26) / tall, width / 2.2);
    const x0 = between(panel.centres, 2, 0), z0 = between(panel.centres, 2, 1);
    const cos = Math.cos(azimuth), sin = Math.sin(azimuth);
    const project = (x, y, z) => {
      const across = (x - x0) * cos - (z - z0) * sin, near = (x - x0) * sin + (z - z0) * cos;
      const height = y - dance.floor_metres;
      const depth = near * Math.cos(TILT) + height * Math.sin(TILT);
      const size = (scale * DISTANCE) / Math.max(1, DISTANCE - depth);
      const rise = height * Math.cos(TILT) - near * Math.sin(TILT);
      return [(place + 0.5) * width + size * across, ground - size * rise, depth];
    };
    pen.save();
    pen.beginPath();
    pen.rect(place * width, 0, width, HEIGHT - TIMELINE);
    pen.clip();
    drawFloor(pen, project, x0, z0);
    for (const number of panel.dancers) {
      drawDancer(pen, dancers[number], project, scale, number === panel.dancers[0]);
    }
    pen.fillStyle = TEXT;
    pen.font = "13px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.fillText(panel.name, (place + 0.5) * width, 15, width - 8);
    pen.restore();
  }

  function line(pen, points) {
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.stroke();
  }

  function drawFloor(pen, project, x0, z0) {
    const reach = 1.5, step = 0.5, floor = dance.floor_metres;
    pen.strokeStyle = GRID;
    pen.lineWidth = 1;
    const first = (at) => Math.ceil((at - reach) / step) * step;
    for (let x = first(x0); x <= x0 + reach; x += step) {
      line(pen, [project(x, floor, z0 - reach), project(x, floor, z0 + reach)]);
    }
    for (let z = first(z0); z <= z0 + reach; z += step) {
      line(pen, [project(x0 - reach, floor, z), project(x0 + reach, floor, z)]);
    }
    const heard = beatsUntil(now), age = heard ? now - dance.beat_seconds[heard - 1] : Infinity;
    if (age > FLASH_SECONDS || still.matches) return;
    pen.fillStyle = BEAT;
    pen.globalAlpha = 0.35 * (1 - age / FLASH_SECONDS);
    pen.beginPath();
    for (let corner = 0; corner < 40; corner += 1) {
      const turn = (2 * Math.PI * corner) / 40;
      const [x, y] = project(x0 + 0.7 * Math.cos(turn), floor, z0 + 0.7 * Math.sin(turn));
      if (corner) pen.lineTo(x, y); else pen.moveTo(x, y);
    }
    pen.fill();
    pen.globalAlpha = 1;
  }

  function drawDancer(pen, dancer, project, scale, foremost) {
    const stride = 3 * dancer.count;
    const place = (_, joint) => [0, 1, 2].map((axis) => between(dancer.joints, stride, 3 * joint + axis));
    const places = Array.from({ length: dancer.count }, place);
    const points = places.map((p) => project(...p));
    pen.lineCap = "round";
    pen.lineWidth = Math.max(1.5, 0.03 * scale);
    pen.strokeStyle = SHADOW;
    for (const [a, b] of dancer.segments) {
      line(pen, [places[a], places[b]].map(([x, , z]) => project(x, dance.floor_metres, z)));
    }
    const order = dancer.segments.map(([a, b, side]) => [points[a][2] + points[b][2], a, b, side]);
    order.sort((one, two) => one[0] - two[0]);
    pen.globalAlpha = foremost ? 1 : 0.5;
    for (const [, a, b, side] of order) {
      pen.strokeStyle = INK[side];
      line(pen, [points[a], points[b]]);
    }
    if (dancer.head !== null) {
      pen.fillStyle = INK.middle;
      pen.beginPath();
      pen.arc(points[dancer.head][0], points[dancer.head][1], 0.085 * scale, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  function drawTimeline(pen, width) {
    const at = (time) => 6 + ((width - 12) * time) / Math.max(seconds, 1e-9), y = HEIGHT - TIMELINE;
    pen.fillStyle = "#F1F3F5";
    pen.fillRect(0, y, width, TIMELINE);
    const heard = beatsUntil(now);
    dance.beat_seconds.forEach((beat, i) => {
      pen.fillStyle = i === heard - 1 ? BEAT : "#8A9097";
      pen.fillRect(at(beat) - (i === heard - 1 ? 2 : 0.75), y + 3, i === heard - 1 ? 4 : 1.5, TIMELINE - 6);
    });
    pen.fillStyle = "#000000";
    pen.fillRect(at(now) - 0.75, y, 1.5, TIMELINE);
  }

  // ---- hands and keys
  button.addEventListener("click", () => (playing ? pause() : play()));
  slider.addEventListener("input", () => seek(Number(slider.value) / dance.rate_hz));
  speed.addEventListener("change", () => { if (audio) audio.playbackRate = Number(speed.value); });
  view.addEventListener("change", () => {
    azimuth = { front: 0, side: Math.PI / 2, turning: Math.PI / 5 }[view.value];
    draw();
  });
  const frame = 1 / dance.rate_hz;
  const keys = {
    " ": () => (playing ? pause() : play()),
    ArrowLeft: (shift) => seek(now - (shift ? frame : STEP_SECONDS)),
    ArrowRight: (shift) => seek(now + (shift ? frame : STEP_SECONDS)),
    Home: () => seek(0),
    End: () => seek(seconds),
  };
  root.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    const plain = !(event.ctrlKey || event.altKey || event.metaKey);
    if (!act || !plain || event.target.tagName === "SELECT") return;
    if (event.key === " " && event.target === button) return; // a button presses itself
    event.preventDefault();
    event.stopPropagation();
    act(event.shiftKey);
  });
  let grip = null;
  canvas.addEventListener("pointerdown", (event) => {
    grip = event.clientX;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", () => { grip = null; });
  canvas.addEventListener("pointercancel", () => { grip = null; });
  canvas.addEventListener("pointermove", (event) => {
    if (grip === null) return;
    azimuth -= (event.clientX - grip) / 120;
    grip = event.clientX;
    draw();
  });
  document.addEventListener(STARTS, function other(event) {
    if (!root.isConnected) document.removeEventListener(STARTS, other);
    else if (event.detail !== root && playing) pause();
  });
  if (audio) audio.addEventListener("error", () => { audio = null; }); // no Ogg Vorbis: in silence
  new ResizeObserver(draw).observe(canvas);
  draw();
}
