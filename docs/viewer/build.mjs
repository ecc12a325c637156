// Puts the page, its worker, h5wasm and the plugin into one HTML file, which works from disk, too.
//
//     node build.mjs H5WASM PLUGIN FOLDER

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const [h5wasm, plugin, folder] = process.argv.slice(2);
const here = new URL(".", import.meta.url);
const read = (name) => readFileSync(new URL(name, here), "utf8");

/** Text of a script in an HTML page, which ends where an end tag seems to be. */
function script(text) {
  if (/<\/script|<!--/i.test(text)) throw new Error("a script holds what would end it in HTML");
  return text;
}

// What h5wasm gives to plugins. The linker takes any other missing function for one of the host's, too.
const HOST = /^(memory|__indirect_function_table|__stack_pointer|__memory_base|__table_base|[mc]alloc|realloc|free|iprintf|H5\w+)$/;
const missing = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(plugin)))
  .map(({ name }) => name)
  .filter((name) => !HOST.test(name));
if (missing.length) throw new Error(`the plugin lacks ${missing.join(", ")}`);

const parts = {
  style: read("viewer.css"),
  viewer: script(read("viewer.js")),
  worker: script(`${read("worker.js")}\n${readFileSync(`${h5wasm}/dist/iife/h5wasm.js`, "utf8")}`),
  plugin: readFileSync(plugin).toString("base64"),
};
const page = read("index.html").replace(/@@(\w+)@@/g, (_, name) => parts[name]);
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/index.html`, page);
copyFileSync(plugin, `${folder}/libh5vidstack.so`);
copyFileSync(`${h5wasm}/LICENSE.txt`, `${folder}/LICENSE-h5wasm.txt`);
