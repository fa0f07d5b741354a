// Forms: sections by letter such as AABA or A8A8B8A'8, as the server reads them.

const HINT = "write sections by letter, such as AABA, AA'BA' or A8A8B8A8";
const MOST_SECTIONS = 64;

/** The form of a text: `[{ label, kind, bars }]`, `bars` null where the text has no number; an error says what is wrong. */
export function parseForm(text) {
  const joined = text.replace(/\s+/g, ""), items = [...joined.matchAll(/([A-Za-z])(['’′]?)(\d*)/g)];
  if (!items.length || items.map(([item]) => item).join("") !== joined) throw problem(`“${text}” is not a form`, HINT);
  if (items.length > MOST_SECTIONS) throw problem(`${items.length} sections are too many`, `give up to ${MOST_SECTIONS}`);
  const bars = new Map();
  const sections = items.map(([, letter, prime, number]) => {
    const label = letter.toUpperCase(), isReturn = bars.has(label), own = number ? Number(number) : null;
    if (prime && !isReturn) throw problem(`${label}' varies ${label} before there is one`, `write ${label} first, then ${label}'`);
    if (own === 0) throw problem(`section ${label} has no bars`, "give it 1 or more");
    if (isReturn && bars.get(label) !== own) throw problem(`section ${label} has two lengths`, "give sections of one letter the same bars");
    bars.set(label, own);
    return { label, kind: prime ? "varied" : isReturn ? "literal" : "new", bars: own };
  });
  if (sections.some((one) => one.bars) && !sections.every((one) => one.bars)) throw problem("some sections have no number of bars", "give every section its own, or none of them");
  return sections;
}

const problem = (text, hint) => Object.assign(new Error(text), { hint });

/** Whether settings ask for sections, and not for a form that is drawn or left to the model. */
export const hasSections = (form) => form !== "auto" && form !== "free";

/** The sections with their bars; those without a number share `bars`. Null if they cannot. */
export function sharedBars(sections, bars) {
  if (sections[0].bars) return sections;
  return bars % sections.length ? null : sections.map((one) => ({ ...one, bars: bars / sections.length }));
}

/** The number of bars of sections that have their own; null if they have none. */
export const ownBars = (sections) => (sections[0].bars ? sections.reduce((sum, one) => sum + one.bars, 0) : null);

/** Sections as text, such as A4A4B4A'4. */
export const formText = (sections) => sections.map((one) => `${one.label}${one.kind === "varied" ? "'" : ""}${one.bars ?? ""}`).join("");

/** The letters of sections, such as AABA'. */
export const lettersOf = (sections) => formText(sections.map((one) => ({ ...one, bars: null })));

/** The letter of a section as it is printed. */
export const nameOf = ({ label, kind }) => (kind === "varied" ? `${label}′` : label);

/** The sections of a melody, each with its `first` and `last` bar and its `cadence`; null if its form is not known. */
export function sectionsOf(candidate) {
  const { form, cadences = [] } = candidate?.form ?? candidate?.conditioning ?? {};
  if (!form) return null;
  let before = 0;
  try {
    return parseForm(form).map((one, at) => {
      const first = before + 1;
      before += one.bars;
      return { ...one, first, last: before, cadence: cadences[at] ?? "" };
    });
  } catch {
    return null;
  }
}

/** The form of a candidate as the page stores it beside the melody: `{ form, cadences }`; null if it has none. */
export function formOf(candidate) {
  const sections = sectionsOf(candidate);
  return sections && { form: formText(sections), cadences: sections.every((one) => one.cadence) ? sections.map((one) => one.cadence) : [] };
}
