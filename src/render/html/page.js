function unfold() {
  let part = location.hash && document.getElementById(location.hash.slice(1));
  if (!part) return;
  if (part.matches("article")) part.querySelector("details")?.setAttribute("open", "");
  for (let at = part; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  part.scrollIntoView();
}
addEventListener("hashchange", unfold);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
unfold();
