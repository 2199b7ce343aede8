// A photograph pasted anywhere on the page is handled as if it were dropped.
document.addEventListener("paste", event => {
  const files = event.clipboardData?.files;
  const input = document.querySelector("#photograph input[type=file]");
  if (!files?.length || !input) return;
  event.preventDefault();
  input.files = files;
  input.dispatchEvent(new Event("change", {bubbles: true}));
});
