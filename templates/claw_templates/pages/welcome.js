"use strict";
// Shows the stages as they are told. Each message tells everything, so a lost connection is simply made again.
const list = document.querySelector(".stages");
const source = new EventSource(list.dataset.events);

source.addEventListener("progress", (event) => {
  for (const stage of JSON.parse(event.data).stages) {
    const item = document.getElementById(stage.name);
    item.className = stage.done ? "done" : "";
    item.querySelector(".state").textContent = stage.done ? "done" : "to come";
  }
});
source.addEventListener("over", () => {
  source.close();
  location.reload();
});
source.addEventListener("late", () => {
  source.close();
  document.getElementById("words").textContent =
    "This takes longer than it should. We are at it, and you get a mail as soon as your assistant is ready.";
});
// Lost connections come back by themselves; one that was refused does not.
source.addEventListener("error", () => {
  if (source.readyState === EventSource.CLOSED) {
    setTimeout(() => location.reload(), 10000);
  }
});
