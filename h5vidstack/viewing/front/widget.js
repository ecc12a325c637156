// The viewer as a widget of Jupyter: its questions are messages to the kernel.

import { Problem } from "./problem.js";
import { Viewer } from "./viewer.js";

/** Returns a function that asks the kernel a question, and one that ends this. */
function asking(model) {
  const waiting = new Map();
  const prefix = Math.random().toString(36).slice(2); // a widget may be shown at several places
  let next = 0;
  const arrived = (message, buffers) => {
    const resolve = waiting.get(message.id);
    if (!resolve) return;
    waiting.delete(message.id);
    // Samples of any dtype begin where their size divides the place; these may not.
    const [view] = buffers;
    const buffer = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
    resolve({ facts: JSON.parse(message.facts), buffer, offset: 0 });
  };
  model.on("msg:custom", arrived);
  const ask = (question) =>
    new Promise((resolve, reject) => {
      const id = `${prefix}-${next++}`;
      waiting.set(id, resolve);
      try {
        model.send({ id, question });
      } catch (error) {
        waiting.delete(id);
        reject(new Problem(`The kernel does not answer: ${error.message}`, "Unreachable"));
      }
    });
  return [ask, () => model.off("msg:custom", arrived)];
}

/** Shows Jupyter's theme, which may be another than the system's. */
function followTheme(root, changed) {
  const follow = () => {
    const light = document.body.dataset.jpThemeLight;
    if (!light) return;
    root.dataset.theme = light === "true" ? "light" : "dark";
    changed();
  };
  const observer = new MutationObserver(follow);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  follow();
  return () => observer.disconnect();
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.classList.add("h5v-framed");
  root.style.height = `${model.get("height")}px`;
  root.dataset.lmSuppressShortcuts = "true"; // keys are the viewer's, where it has the focus
  el.append(root);
  const [ask, endAsking] = asking(model);
  const viewer = new Viewer(root, ask, { wheelZooms: false, frame: model.get("frame") });
  const endTheme = followTheme(root, () => viewer.recolour?.());
  root.addEventListener("keydown", (event) => viewer.keyPressed(event));
  const fromPython = () => {
    const frame = model.get("frame");
    if (viewer.sliders && frame !== viewer.current) viewer.goTo(frame); // else it was the viewer that set it
  };
  model.on("change:frame", fromPython);
  viewer.onFrame = (frame) => {
    if (model.get("frame") === frame) return;
    model.set("frame", frame);
    model.save_changes();
  };
  el.viewer = viewer;
  return () => {
    model.off("change:frame", fromPython);
    endAsking();
    endTheme();
    viewer.end();
  };
}

export default { render };
