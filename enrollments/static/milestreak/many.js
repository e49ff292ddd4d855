// Presses "Go on" for whoever watches; without scripts he presses it himself.
const form = document.querySelector("form[data-goes-on]");
if (form) setTimeout(() => form.requestSubmit(), 300);
