/* Buttons with `data-copy` put that text on the clipboard. Where that is not allowed, the sentence beside the button is
   selected, so that it can be copied by hand. `data-print` prints the page. Without scripts the buttons stay hidden. */
"use strict";
(() => {
  const selectBeside = (button) => {
    const range = document.createRange();
    range.selectNodeContents(button.parentElement.querySelector(".why-text"));
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };

  const say = (button, word) => {
    const label = button.firstChild;
    label.data = word;
    setTimeout(() => { label.data = "Copy"; }, 2000);
  };

  for (const button of document.querySelectorAll("button[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        say(button, "Copied");
      } catch {
        selectBeside(button);
        say(button, "Selected");
      }
    });
  }
})();
