// The page of a listening test: jsPsych runs the timeline, the server keeps every answer at once.
"use strict";

const RETRY_MS = 1500;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

class Refused extends Error {}

function tell(words) {
  document.getElementById("status").textContent = words;
}

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const reply = await fetch(path, { ...options, credentials: "same-origin", cache: "no-store" });
  const told = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Refused(told.error || `the server says ${reply.status}`);
  return told;
}

// Ask until the server answers: a server that was restarted loses nobody.
async function askUntilHeard(path, body) {
  for (;;) {
    try {
      const told = await ask(path, body);
      tell("");
      return told;
    } catch (error) {
      if (error instanceof Refused) throw error;
      tell("The server does not answer. Your answer is kept here and sent again; please wait.");
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
}

const NAMES = jsPsychModule.ParameterType;

// A page of words with one button.
class WordsPlugin {
  static info = {
    name: "words",
    version: "1.0.0",
    parameters: {
      title: { type: NAMES.STRING, default: "" },
      words: { type: NAMES.STRING, default: "" },
      button: { type: NAMES.STRING, default: "Continue" },
      code: { type: NAMES.BOOL, default: false },
      pressed: { type: NAMES.FUNCTION, default: null },
    },
    data: {},
  };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  trial(display, trial) {
    const button = element("button", { className: "main", textContent: trial.button, id: "go" });
    const code = element("input", { id: "code", autocomplete: "off", maxLength: 20 });
    const label = element("label", { textContent: "Your access code: " }, [code]);
    const row = element("div", { className: "row" }, trial.code ? [label, button] : [button]);
    display.replaceChildren(
      element("h1", { textContent: trial.title }),
      element("p", { className: "words", textContent: trial.words }),
      row,
    );
    const go = async () => {
      if (button.disabled) return;
      button.disabled = true;
      try {
        if (trial.pressed) await trial.pressed(code.value);
        tell("");
        this.jsPsych.finishTrial({});
      } catch (error) {
        tell(`${error.message}`);
        button.disabled = false;
      }
    };
    button.addEventListener("click", go);
    code.addEventListener("keydown", (event) => { if (event.key === "Enter") go(); });
    (trial.code ? code : button).focus();
  }
}

// One stimulus: a sound, a film, or a picture that moves with its sound beside.
class Player {
  constructor(stimulus, label, key, heard) {
    this.files = stimulus.files.map((name) => `stimuli/${name}`);
    this.plays = 0;
    this.heard = false;
    this.onHeard = heard;
    const ends = (ending) => this.files.find((file) => file.endsWith(ending));
    this.picture = ends(".gif");
    const film = ends(".mp4");
    const sound = ends(".ogg") || ends(".wav");
    this.media = element(film ? "video" : "audio", { src: film || sound, preload: "auto" });
    if (film) this.media.playsInline = true;
    this.image = this.picture ? element("img", { alt: "the dance", src: this.picture }) : null;
    this.progress = element("progress", { max: 1, value: 0 });
    this.button = element("button", { className: "play" });
    this.button.append("▶ Play ", element("kbd", { textContent: key }));
    this.button.addEventListener("click", () => this.toggle());
    this.figure = element("figure", { className: film || this.picture ? "" : "wide" }, [
      element("figcaption", { textContent: label }),
      ...(this.image ? [this.image] : []),
      this.media,
      element("div", { className: "row" }, [this.button]),
      this.progress,
    ]);
    this.media.addEventListener("timeupdate", () => this.moved());
    this.media.addEventListener("ended", () => this.ended());
    this.media.addEventListener("play", () => this.named("⏸ Pause "));
    this.media.addEventListener("pause", () => this.named("▶ Play "));
    this.media.addEventListener("error", () => this.again(label));
  }

  again(label) {
    tell(`${label}: the file does not come; it is asked for again. If that goes on, call the teacher.`);
    const arrived = () => {
      this.media.removeEventListener("canplay", arrived);
      tell("");
    };
    this.media.addEventListener("canplay", arrived);
    setTimeout(() => this.media.load(), RETRY_MS);
  }

  named(words) {
    this.button.firstChild.textContent = words;
  }

  toggle() {
    if (!this.media.paused) {
      this.media.pause();
      return;
    }
    Player.all.forEach((other) => other.media.pause());
    if (this.media.ended || this.media.currentTime === 0) {
      this.plays += 1;
      if (this.image) {  // begin the moving picture anew with its sound
        this.image.src = "";
        this.image.src = this.picture;
      }
    }
    this.media.play().catch((error) => tell(`The sound does not start (${error.message}).`));
  }

  moved() {
    const { currentTime, duration } = this.media;
    if (duration > 0) this.progress.value = currentTime / duration;
    if (currentTime >= Player.leastSeconds) this.enough();
  }

  ended() {
    this.progress.value = 1;
    this.enough();
  }

  enough() {
    if (this.heard) return;
    this.heard = true;
    this.onHeard();
  }
}
Player.all = [];
Player.leastSeconds = 4;

class QuestionPlugin {
  static info = {
    name: "question",
    version: "1.0.0",
    parameters: {
      question: { type: NAMES.OBJECT, default: undefined },
      step: { type: NAMES.OBJECT, default: undefined },
    },
    data: { question: { type: NAMES.STRING } },
  };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  trial(display, trial) {
    this.question = trial.question;
    this.began = performance.now();
    this.ranked = trial.step.kind === "ranking";
    const single = trial.question.stimuli.length === 1;
    const changed = () => this.update();
    const labels = trial.question.stimuli.map((_, n) => (single ? "Listen" : `Dance ${LETTERS[n]}`));
    this.players = trial.question.stimuli.map(
      (one, n) => new Player(one, labels[n], single ? "space" : LETTERS[n], changed),
    );
    const beside = trial.question.reference;
    this.reference = beside ? new Player(beside, "With its own music", "R", changed) : null;
    Player.all = [...(this.reference ? [this.reference] : []), ...this.players];
    this.next = element("button", { className: "main", id: "next", disabled: true });
    this.next.append("Next ", element("kbd", { textContent: "Enter" }));
    this.next.addEventListener("click", () => this.send());
    this.hint = element("p", { className: "small", id: "hint" });
    const answers = this.ranked ? this.selects() : this.buttons(trial.step.options);
    display.replaceChildren(
      element("h2", { textContent: trial.question.prompt, id: "prompt" }),
      element("div", { className: "stimuli" }, Player.all.map((player) => player.figure)),
      answers,
      this.hint,
      element("div", { className: "row" }, [this.next]),
    );
    document.getElementById("test").focus();
    this.update();
    this.listener = (event) => this.key(event);
    document.addEventListener("keydown", this.listener);
  }

  buttons(options) {
    this.choice = null;
    this.options = options.map(([value, label], n) => {
      const button = element("button", { className: "option", disabled: true });
      button.dataset.value = value;
      button.setAttribute("aria-pressed", "false");
      button.append(`${label} `, ...(label.startsWith(`${n + 1}`) ? [] : [element("kbd", { textContent: `${n + 1}` })]));
      button.addEventListener("click", () => this.choose(value));
      return button;
    });
    return element("div", { className: "row" }, this.options);
  }

  selects() {
    const count = this.players.length;
    this.ranks = this.players.map((player, n) => {
      const ranks = Array.from({ length: count }, (_, k) => element("option", { value: `${k + 1}`, textContent: `${k + 1}` }));
      const select = element("select", { className: "rank", disabled: true }, [
        element("option", { value: "", textContent: "–" }), ...ranks,
      ]);
      select.addEventListener("change", () => this.update());
      player.figure.append(element("label", { textContent: "Rank " }, [select]));
      return select;
    });
    return element("p", { className: "small", textContent: `1 is the best, ${count} the least good.` });
  }

  choose(value) {
    if (!this.heardAll()) return;
    this.choice = value;
    this.options.forEach((one) => one.setAttribute("aria-pressed", `${one.dataset.value === value}`));
    this.update();
  }

  heardAll() {
    return this.players.every((player) => player.heard);
  }

  answer() {
    if (!this.ranked) return this.choice;
    const given = this.ranks.map((select) => Number(select.value));
    if (new Set(given).size !== given.length || given.includes(0)) return null;
    const order = given.map((rank, n) => [rank, this.question.stimuli[n].name]);
    return order.sort((a, b) => a[0] - b[0]).map(([, name]) => name);
  }

  update() {
    const heard = this.heardAll();
    (this.ranked ? this.ranks : this.options).forEach((one) => { one.disabled = !heard; });
    const full = heard && this.answer() !== null && !this.sending;
    this.next.disabled = !full;
    if (this.sending) return;
    if (!heard) this.hint.textContent = this.players.length > 1 ? "Play all of them first." : "Play it first.";
    else if (full) this.hint.textContent = "";
    else this.hint.textContent = this.ranked ? "Give each a rank of its own." : "Choose an answer.";
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const tag = event.target.tagName;
    const letter = LETTERS.indexOf(event.key.toUpperCase());
    if (event.key === " " && tag !== "BUTTON" && tag !== "SELECT") {
      event.preventDefault();
      this.players[0].toggle();
    } else if (event.key === "Enter" && tag !== "BUTTON") {
      this.send();
    } else if (tag === "SELECT") {
      return;
    } else if (this.reference && event.key.toUpperCase() === "R") {
      this.reference.toggle();
    } else if (this.players.length > 1 && event.key.length === 1 && this.players[letter]) {
      this.players[letter].toggle();
    } else if (!this.ranked && this.options[Number(event.key) - 1]) {
      this.choose(this.options[Number(event.key) - 1].dataset.value);
    }
  }

  async send() {
    const answer = this.answer();
    if (this.sending || answer === null || !this.heardAll()) return;
    this.sending = true;
    this.update();
    this.hint.textContent = "Saving…";
    Player.all.forEach((player) => player.media.pause());
    const plays = this.players.reduce((sum, player) => sum + player.plays, 0);
    try {
      await askUntilHeard("api/answer", {
        question: this.question.id,
        answer,
        response_ms: Math.round(performance.now() - this.began),
        plays,
        client_time: Date.now() / 1000,
      });
    } catch (error) {
      tell(`The answer was refused: ${error.message}. Please call the teacher.`);
      return;
    }
    document.removeEventListener("keydown", this.listener);
    this.jsPsych.finishTrial({ question: this.question.id });
  }
}

function timeline(jsPsych, told) {
  const moved = (done) => {
    jsPsych.progressBar.progress = told.total ? done / told.total : 1;
  };
  const start = {
    type: WordsPlugin,
    title: told.title,
    words: told.done
      ? `Welcome back. ${told.done} of ${told.total} answers are kept; the test goes on with the next one.`
      : `You are participant ${told.participant}. There are ${told.total} short questions. No sound plays before you ask for it.\n\nKeys: space plays and pauses, 1 to 5 choose an answer, Enter goes on. Each answer is kept at once: you may close the page and come back on this computer.`,
    button: told.done ? "Go on" : "Start",
    on_load: () => moved(told.done),
  };
  const trials = [start];
  let step = "";
  told.questions.forEach((question, n) => {
    const about = told.steps[question.step];
    const repeats = n > 0 && about.intro === told.steps[told.questions[n - 1].step].intro;
    if (question.step !== step && !repeats) trials.push({ type: WordsPlugin, words: about.intro });
    step = question.step;
    trials.push({
      type: QuestionPlugin, question, step: about, on_finish: () => moved(told.done + n + 1),
    });
  });
  trials.push({
    type: WordsPlugin,
    title: "Thank you!",
    words: `All answers are kept. You were participant ${told.participant}.`,
    button: "Next listener on this computer",
    pressed: async () => {
      await askUntilHeard("api/leave", {});
      window.location.reload();
      await new Promise(() => {});
    },
  });
  return trials;
}

async function main() {
  const welcome = await askUntilHeard("api/welcome");
  document.title = welcome.title;
  const jsPsych = jsPsychModule.initJsPsych({
    display_element: "test",
    show_progress_bar: true,
    auto_update_progress_bar: false,
    message_progress_bar: "Progress",
  });
  if (!welcome.begun) {
    const begin = jsPsychModule.initJsPsych({ display_element: "test" });
    await begin.run([{
      type: WordsPlugin,
      title: welcome.title,
      words: welcome.consent,
      button: "I agree",
      code: welcome.code_needed,
      pressed: (code) => ask("api/begin", { consent: welcome.consent_digest, code }),
    }]);
  }
  const told = await askUntilHeard("api/next");
  document.getElementById("test").replaceChildren();
  Player.leastSeconds = told.least_seconds;
  await jsPsych.run(timeline(jsPsych, told));
}

main().catch((error) => tell(`The test cannot go on: ${error.message}`));
