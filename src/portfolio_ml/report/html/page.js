// What makes the page answer. All that it shows is set as text; nothing is read from a network.

const ABSENT = "–";
const data = JSON.parse(document.getElementById("data").textContent);
document.documentElement.classList.add("scripted");
