// Keys for the pages of the desk. Everything here can be done without it; it sends nothing by itself.
"use strict";

(() => {
  const STORED = "triage-keys";
  const SENT_MILLISECONDS = 3000;
  const find = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const form = find("#decide");
  const dialog = find("#keys");

  for (const each of all(".scripted")) each.hidden = false;

  // A form that was sent is not sent again; its token would make it one act anyway.
  for (const each of document.forms) {
    if (each.method !== "post") continue;
    each.addEventListener("submit", (event) => {
      if (each.dataset.sent) event.preventDefault();
      each.dataset.sent = "1";
      // A form whose answer is a file leaves its page standing, and may be sent again.
      setTimeout(() => delete each.dataset.sent, SENT_MILLISECONDS);
    });
  }

  const errors = find("#errors");
  if (errors) errors.focus();
  all(".errors a").forEach((link) => {
    link.addEventListener("click", () => {
      const field = document.getElementById(link.hash.slice(1));
      for (let box = field; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
    });
  });

  // The keys themselves can be switched off (WCAG 2.2, 2.1.4); only this choice is kept, on this machine.
  const areOn = () => localStorage.getItem(STORED) !== "off";
  const showSwitch = () => {
    for (const each of all("[data-keys-switch]")) {
      each.setAttribute("aria-pressed", String(areOn()));
      each.textContent = areOn() ? "Keys are on" : "Keys are off";
    }
  };
  for (const each of all("[data-keys-switch]")) {
    each.addEventListener("click", () => {
      localStorage.setItem(STORED, areOn() ? "off" : "on");
      showSwitch();
    });
  }
  showSwitch();

  const say = (words) => {
    const box = find("[data-says]");
    if (box) box.textContent = words;
  };

  const rows = () => all("[data-crime]");
  const familyOf = (row) => row.querySelector("[data-family-of]");
  const placeOf = (row) => row.querySelector("[data-place-of]");
  const isEmpty = (row) => [...row.querySelectorAll("select, input")].every((each) => each.value === "");
  const empty = (row) => {
    for (const each of row.querySelectorAll("select, input")) each.value = "";
  };

  const showFamilies = () => {
    const chosen = new Set(rows().map((row) => familyOf(row).value));
    for (const each of all("[data-toggle]")) {
      each.setAttribute("aria-pressed", String(chosen.has(each.dataset.toggle)));
    }
  };

  const answer = (value) => {
    const radio = find(`#crime_disclosed-${value}`);
    if (radio) radio.checked = true;
  };

  const name = (family) => find(`[data-toggle="${family}"]`).lastChild.textContent.trim();

  // The place in focus speaks for the family, else the first that is marked with it.
  const placeFor = (family) => {
    const focused = document.activeElement.closest("[data-place]");
    const marked = all("[data-place]").filter((each) => each.dataset.family === family);
    const chosen = focused && focused.dataset.family === family ? focused : marked[0];
    return chosen ? chosen.dataset.place : "";
  };

  const toggle = (family) => {
    const same = rows().filter((row) => familyOf(row).value === family);
    if (same.length) {
      same.forEach(empty);
      if (rows().every(isEmpty)) find("#crime_disclosed-yes").checked = false;
      say(`Taken back: ${name(family)}`);
    } else {
      const row = rows().find(isEmpty);
      if (!row) {
        say("No empty row is left: add a row");
        return;
      }
      find("[data-crimes]").open = true;
      familyOf(row).value = family;
      const place = placeFor(family);
      if ([...placeOf(row).options].some((each) => each.value === place)) placeOf(row).value = place;
      answer("yes");
      say(`Disclosed and not recorded: ${name(family)}`);
    }
    showFamilies();
  };

  const withoutCrimes = (value, words) => {
    rows().forEach(empty);
    for (const each of ["reason_not_recorded", "crime_reference"]) {
      const field = document.getElementById(each);
      if (field) field.value = "";
    }
    answer(value);
    showFamilies();
    say(words);
  };

  // What still has to be chosen before the form can be saved.
  const lacking = () => {
    const chosen = form.querySelector('[name="crime_disclosed"]:checked');
    if (!chosen) return find("#crime_disclosed-yes");
    if (chosen.value === "yes" && rows().every((row) => familyOf(row).value === "")) return familyOf(rows()[0]);
    return null;
  };

  const save = () => {
    const field = lacking();
    if (!field) {
      form.requestSubmit(find("[data-save]"));
      return;
    }
    find("[data-crimes]").open = true;
    field.focus();
    say(field.name === "crime_disclosed" ? "Choose an answer first" : "Choose a family first");
  };

  const step = (by) => {
    const stops = all("[data-stop]");
    if (!stops.length) return;
    const at = stops.indexOf(document.activeElement.closest("[data-stop]"));
    const next = at < 0 ? (by > 0 ? 0 : stops.length - 1) : Math.min(Math.max(at + by, 0), stops.length - 1);
    stops[next].focus({ preventScroll: true });
    stops[next].scrollIntoView({ block: "center" });
  };

  const send = (id) => {
    const other = document.getElementById(id);
    if (other) other.requestSubmit();
  };

  const canDecide = form && find("[data-save]");
  // A ruling is filled by the same keys, and sent by its button alone.
  const canFill = find("[data-toggle]");
  const KEYS = {
    "j": () => step(1),
    "k": () => step(-1),
    "c": () => canFill && withoutCrimes("no", "No crime"),
    "u": () => canFill && withoutCrimes("cannot_say", "Cannot say"),
    "Enter": () => canDecide && save(),
    "n": () => send("next"),
    "r": () => send("release"),
    "?": () => (dialog ? dialog.showModal() : find('nav a[href="/keys"]')?.click()),
  };

  const types = (element) =>
    element.closest("textarea, select, [contenteditable]") ||
    (element.tagName === "INPUT" && !["radio", "checkbox"].includes(element.type));

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (dialog && dialog.open) {
      if (event.key === "?") dialog.close();
      return;
    }
    if (!areOn() || types(event.target)) return;
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    if (event.repeat && !["j", "k"].includes(event.key)) return;
    if (/^[1-9]$/.test(event.key) && canFill) {
      const buttons = all("[data-toggle]");
      toggle(buttons[Number(event.key) - 1].dataset.toggle);
    } else if (Object.hasOwn(KEYS, event.key)) {
      // Where there is nothing to decide, Enter stays what the browser makes of it.
      if (event.key === "Enter" && !canDecide) return;
      KEYS[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  });

  for (const each of all("[data-toggle]")) {
    each.addEventListener("click", (event) => {
      toggle(each.dataset.toggle);
      // After a click with the pointer the next Enter saves; on a button in focus it would take the family back.
      if (event.detail) each.blur();
    });
  }
  if (canFill) {
    canFill.form.addEventListener("change", showFamilies);
    showFamilies();
  }
})();
