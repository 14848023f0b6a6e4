// For readers who use a keyboard or a screen reader: the theme leaves these unnamed, or out of reach.
function mend() {
  document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");
  document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((bar) => {
    const bars = [...document.querySelectorAll(".md-code__nav")];
    bar.setAttribute("aria-label", `Copy block ${bars.indexOf(bar) + 1}`);
  });
  document.querySelectorAll("pre > code:not([tabindex]), .md-typeset__scrollwrap:not([tabindex]), div:has(> table.dataframe):not([tabindex])").forEach((box) => {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  });
}
document.addEventListener("DOMContentLoaded", () => {
  new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
  addEventListener("resize", mend);
  mend();
});
