// Makes a button of each common reason, which writes it into the field. Without scripts the browser offers them.
"use strict";
for (const field of document.querySelectorAll("input[list=common-reasons]")) {
  const proposals = document.createElement("p");
  proposals.className = "proposals";
  proposals.role = "group";
  proposals.ariaLabel = "Proposals";
  for (const { value } of field.list.options) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = value;
    button.addEventListener("click", () => {
      field.value = value;
      field.focus();
    });
    proposals.append(button);
  }
  field.after(proposals);
}
