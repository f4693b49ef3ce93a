// What scrolls must be reachable by keyboard, and have a name for a screen reader.
document.addEventListener("DOMContentLoaded", () => {
  const regions = [
    [".md-typeset pre > code", "Code"],
    [".md-typeset__scrollwrap", "Table"],
  ];
  for (const [selector, name] of regions) {
    document.querySelectorAll(selector).forEach((region, index) => {
      if (region.scrollWidth > region.clientWidth || region.scrollHeight > region.clientHeight) {
        region.tabIndex = 0;
        region.setAttribute("role", "region");
        region.setAttribute("aria-label", `${name} ${index + 1}`);
      }
    });
  }
  document.querySelectorAll(".md-code__nav").forEach((bar, index) => {
    bar.setAttribute("aria-label", `Code ${index + 1}: buttons`);
  });
});
