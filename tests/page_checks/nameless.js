// What can be used and has no name that a screen reader could say.
() => [...document.querySelectorAll("button, input, select, textarea, progress, summary, a, table, [role=slider], [role=region]")]
  .filter((one) => one.checkVisibility() && one.type !== "file")
  .filter((one) => !(one.getAttribute("aria-label") || one.getAttribute("aria-labelledby")))
  .filter((one) => !(one.innerText?.trim() || one.labels?.length))
  .map((one) => one.outerHTML.slice(0, 120))
