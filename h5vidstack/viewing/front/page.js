// The viewer as a page: its questions go through HTTP to the server that sent the page.

import { Problem } from "./problem.js";
import { Viewer } from "./viewer.js";

/** Asks the server a question; the answer is its facts, and the bytes of samples. */
async function ask(question) {
  let answer;
  try {
    answer = await fetch("ask", { method: "POST", body: JSON.stringify(question), cache: "no-store" });
  } catch {
    throw new Problem("The viewer does not answer. Is 'h5vidstack view' still running?", "Unreachable");
  }
  if (!answer.ok) throw new Problem(`The viewer refuses to answer: ${(await answer.text()).trim()}.`, "Unreachable");
  const body = await answer.arrayBuffer();
  const length = new DataView(body).getUint32(0, true);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(body, 4, length)));
  return { facts, buffer: body, offset: 4 + length };
}

const root = document.createElement("div");
document.body.append(root);
const viewer = new Viewer(root, ask, { wheelZooms: true });
document.addEventListener("keydown", (event) => viewer.keyPressed(event));
window.viewer = viewer; // for the curious, and for tests
viewer.opened.then(() => (document.title = `${viewer.stack.name} – h5vidstack`));
