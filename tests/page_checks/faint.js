// How many words were looked at, and those that do not stand out from their ground (WCAG 2.2, 1.4.3: a ratio of 4.5).
() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour.startsWith("rgb(")) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const looked = [...document.querySelectorAll("h1, h2, p, label, legend, button, b, a, span, summary, td, th")]
    .filter((one) => one.checkVisibility({ opacityProperty: true }))
    .filter((one) => !one.closest(".key, .skip, .unseen, .off, button:disabled, fieldset:disabled"))
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((one) => {
      const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
      return { text: one.innerText.slice(0, 30), ratio: (a + 0.05) / (b + 0.05) };
    });
  return { looked: looked.length, faint: looked.filter((one) => one.ratio < 4.5) };
}
