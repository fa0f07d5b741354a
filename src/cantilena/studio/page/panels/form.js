// The form and the chords to compose by: presets, sections with bars, returns and cadences, and a lead sheet.

import { byId, make, showError } from "/page/elements.js";
import { isWrong, setFieldError } from "/page/fields.js";
import { formText, hasSections, lettersOf, nameOf, ownBars, parseForm, sharedBars } from "/page/music/forms.js";
import { modelNamed, on, state, updateSettings } from "/page/state.js";

const PRESETS = [
  ["auto", "As tunes have it", "A form that melodies of this length have is drawn for each."],
  ["free", "Free", "The model decides what returns, and how the melody ends."],
  ["AABA", "AABA", "A passage, the same again, a contrast, and the first once more."],
  ["ABAC", "ABAC", "The first passage returns, with two different answers."],
  ["ABAB", "Verse and chorus (ABAB)", "Two passages in turn."],
  ["AA'", "Period (A A′)", "Two phrases that begin alike: the first asks (half cadence), the second answers (full cadence)."],
  ["ABCD", "Through-composed (ABCD)", "Nothing returns."],
  ["own", "Own letters …", "Write letters, with bars if you like: A8A8B8A′8."],
];
const CADENCES = { "AA'": ["half", "full"] };
const CADENCE_NAMES = [["", "any end"], ["half", "half"], ["full", "full"], ["open", "open"]];
const MOST_BARS = 200;

/** Set up the picker and the field for chords. */
export function initForm() {
  byId("form").append(...PRESETS.map(([value, title]) => make("option", { value }, title)));
  byId("form").addEventListener("input", (event) => choose(event.target.value));
  byId("form-letters").addEventListener("input", (event) => write(event.target.value));
  byId("ending").addEventListener("input", (event) => updateSettings({ ending: event.target.value }));
  byId("chords").addEventListener("input", (event) => updateSettings({ chords: event.target.value }));
  on("settings", fitBars);
  on("settings models", show);
}

const sections = () => {
  try {
    return hasSections(state.settings.form) ? parseForm(state.settings.form) : null;
  } catch {
    return null;
  }
};

function choose(preset) {
  if (preset === "own") {
    if (!sections()) updateSettings({ form: "AB", cadences: [], bars: multiple(2) });
    byId("form").value = "own";
    byId("form-letters").focus();
    return;
  }
  const isForm = hasSections(preset);
  updateSettings({ form: preset, cadences: CADENCES[preset] ?? [], ...(isForm ? { bars: multiple(parseForm(preset).length) } : {}) });
}

// The number of bars nearest to that of the settings which so many sections can share.
const multiple = (count) => Math.min(Math.max(Math.round(state.settings.bars / count), 1), Math.floor(MOST_BARS / count)) * count;

function write(text) {
  try {
    const found = parseForm(text), bars = ownBars(found);
    if (bars > MOST_BARS) throw Object.assign(new Error(`these sections have ${bars} bars`), { hint: `give up to ${MOST_BARS}` });
    setFieldError("form-letters", "");
    updateSettings({ form: formText(found), cadences: state.settings.cadences.slice(0, found.length), ...(bars ? { bars } : {}) });
  } catch (error) {
    setFieldError("form-letters", "wrong");
    showError("form-letters-error", error);
  }
}

// After the bars have changed: sections with bars of their own grow or shrink with them, if they can.
function fitBars(changes) {
  const { bars } = state.settings, found = sections();
  if (!found) {
    if (changes && "form" in changes && isWrong("bars")) setFieldError("bars", "");
    return;
  }
  const own = ownBars(found);
  if (own && own !== bars) {
    const scaled = found.map((one) => ({ ...one, bars: (one.bars * bars) / own }));
    if (scaled.every((one) => Number.isInteger(one.bars))) updateSettings({ form: formText(scaled) });
    else setFieldError("bars", `${bars} bars do not fit the form ${formText(found)}, which has ${own}: give ${own}, or other bars to its sections.`);
  } else if (!own && bars % found.length) {
    const low = Math.max(Math.floor(bars / found.length), 1) * found.length;
    setFieldError("bars", `${bars} bars cannot be shared equally by ${found.length} sections: give ${low} or ${low + found.length}, or each section its own bars.`);
  } else if (changes && ("bars" in changes || "form" in changes)) setFieldError("bars", "");
}

function setSection(at, changes) {
  const { bars, cadences } = state.settings, found = sharedBars(sections(), bars);
  if (!found) return;
  if ("cadence" in changes) {
    // A literal return ends as what it returns to.
    const isAlike = (one) => one === found[at] || (one.label === found[at].label && one.kind !== "varied" && found[at].kind !== "varied");
    updateSettings({ cadences: found.map((one, number) => (isAlike(one) ? changes.cadence : cadences[number] ?? "")) });
    return;
  }
  const { label } = found[at];
  const changed = found.map((one, number) => {
    if ("bars" in changes && one.label === label) return { ...one, bars: changes.bars };
    return "kind" in changes && number === at ? { ...one, kind: changes.kind } : one;
  });
  // Letters alone stay letters alone, so that other bars can be shared anew.
  if ("kind" in changes && !ownBars(sections())) updateSettings({ form: lettersOf(changed) });
  else if (ownBars(changed) <= MOST_BARS) updateSettings({ form: formText(changed), bars: ownBars(changed) });
}

function show(changes = {}) {
  const { form, ending, chords, bars, cadences, model } = state.settings, known = modelNamed(model);
  const found = sections(), shared = found && sharedBars(found, bars);
  if (!found && "form" in changes) setFieldError("form-letters", "");
  const preset = !found ? form : PRESETS.some(([value]) => value === lettersOf(found)) && document.activeElement !== byId("form-letters") ? lettersOf(found) : "own";
  byId("form").value = PRESETS.some(([value]) => value === preset) ? preset : "auto";
  const hasForms = known?.has_forms !== false, follows = known?.follows_chords !== false;
  byId("form-hint").textContent = hasForms ? PRESETS.find(([value]) => value === byId("form").value)[2] : "This model has learned no forms. Choose another one, such as “Folk tunes”.";
  byId("chords-hint").textContent = follows ? "One or more chords a bar; bars are repeated to the end. Leave it empty for none." : "This model has not learned to follow chords. Choose another one, such as “Folk tunes”.";
  for (const id of ["form", "form-letters", "ending"]) byId(id).disabled = !hasForms;
  byId("chords").disabled = !follows;
  byId("ending-field").hidden = form !== "auto";
  byId("form-letters-field").hidden = byId("form-sections-hint").hidden = byId("form-sections").hidden = !found;
  if (byId("ending").value !== ending) byId("ending").value = ending;
  if (byId("chords").value !== chords) byId("chords").value = chords;
  const isTyped = byId("form-letters") === document.activeElement || (isWrong("form-letters") && !("form" in changes));
  if (found && !isTyped) {
    byId("form-letters").value = formText(found);
    setFieldError("form-letters", "");
  }
  const title = found ? lettersOf(found).replaceAll("'", "′") : form === "free" ? "free" : "";
  byId("form-summary").textContent = [title, chords.trim() ? "chords" : ""].filter(Boolean).join(" · ");
  if (shared) showSections(shared, cadences, !hasForms);
}

// Rows that are there stay, so that the focus does.
function showSections(shared, cadences, isDisabled) {
  const list = byId("form-sections");
  while (list.children.length > shared.length) list.lastChild.remove();
  while (list.children.length < shared.length) list.append(row(list.children.length));
  shared.forEach((section, at) => {
    const [bars, kind, cadence] = list.children[at].querySelectorAll("input, select"), name = nameOf(section);
    list.children[at].className = `section-row section-${(section.label.charCodeAt(0) - 65) % 6}`;
    list.children[at].querySelector("b").textContent = name;
    if (document.activeElement !== bars) bars.value = section.bars;
    const kinds = section.kind === "new" ? [["new", "new"]] : [["literal", "literally"], ["varied", "varied"]];
    if (kind.options.length !== kinds.length) kind.replaceChildren(...kinds.map(([value, title]) => make("option", { value }, title)));
    kind.value = section.kind;
    kind.disabled = isDisabled || section.kind === "new";
    cadence.value = cadences[at] ?? "";
    bars.disabled = cadence.disabled = isDisabled;
    bars.setAttribute("aria-label", `Bars of section ${at + 1}, ${name}`);
    kind.setAttribute("aria-label", `How section ${at + 1}, ${name}, returns`);
    cadence.setAttribute("aria-label", `How section ${at + 1}, ${name}, ends`);
  });
}

function row(at) {
  const bars = make("input", { type: "number", inputmode: "numeric", min: 1, max: MOST_BARS, step: 1, oninput: () => {
    const count = Number(bars.value), fits = Number.isInteger(count) && count >= 1 && count <= MOST_BARS;
    bars.setAttribute("aria-invalid", String(!fits));
    if (fits) setSection(at, { bars: count });
  }, onchange: () => show() });
  const kind = make("select", { oninput: () => setSection(at, { kind: kind.value }) });
  const cadence = make("select", { oninput: () => setSection(at, { cadence: cadence.value }) }, ...CADENCE_NAMES.map(([value, title]) => make("option", { value }, title)));
  return make("li", {}, make("b", {}), bars, kind, cadence);
}
