// What the viewer is made of, as HTML; parts are named by data-is.

import { COLOUR_MAPS } from "./colour_maps.js";

const options = (names) => names.map((name) => `<option>${name}</option>`).join("");
const icon = (path) => `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
export const PLAY = icon("M4 2.5v11l9-5.5z");
export const PAUSE = icon("M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z");

export const LAYOUT = `
<header>
  <strong data-is="name"></strong>
  <span data-is="summary" class="quiet"></span>
</header>
<p data-is="banner" class="problem" role="alert" hidden></p>
<div data-is="main" class="main" hidden>
  <section class="stage" data-is="stage" aria-label="Frame" tabindex="0">
    <canvas data-is="picture"></canvas>
    <p data-is="broken" class="problem" role="alert" hidden></p>
    <p data-is="busy" class="note" role="status" hidden>Reading…</p>
    <output data-is="pixel" class="note"></output>
    <div class="zoom" role="group" aria-label="Zoom">
      <button data-is="smaller" type="button" title="Smaller (−)" aria-label="Smaller">−</button>
      <button data-is="zoomed" type="button" title="Fit the frame (0), or pixel by pixel (1)">100 %</button>
      <button data-is="larger" type="button" title="Larger (+)" aria-label="Larger">+</button>
    </div>
  </section>
  <section class="controls" aria-label="Frames">
    <div data-is="strip" class="strip" hidden>
      <canvas data-is="line" title=""></canvas>
      <output data-is="hover" class="note" hidden></output>
    </div>
    <div data-is="axes" class="axes"></div>
    <div class="row">
      <button data-is="play" class="main-button" type="button" aria-pressed="false" title="Play or stop (space)">${PLAY}<span>Play</span></button>
      <div class="pairs" role="group" aria-label="One frame">
        <button data-is="back" type="button" title="One frame back (←)" aria-label="One frame back">‹</button>
        <button data-is="on" type="button" title="One frame on (→)" aria-label="One frame on">›</button>
      </div>
      <label>Frame <input data-is="number" type="number" min="0" value="0"></label>
      <span data-is="last" class="quiet"></span>
      <span class="rest"></span>
      <span data-is="measured" class="quiet"></span>
      <label><input data-is="rate" type="number" min="1" max="240" value="25" aria-label="Frames a second"> frames/s</label>
    </div>
  </section>
  <aside>
    <section>
      <h2>Contrast</h2>
      <canvas data-is="histogram" class="histogram" aria-label="Histogram; drag its lines to set black and white"></canvas>
      <div class="two">
        <label>Black <input data-is="low" type="number" step="any"></label>
        <label>White <input data-is="high" type="number" step="any"></label>
      </div>
      <label class="wide"><span>Set by</span>
        <select data-is="mode">
          <option value="percentiles">percentiles</option>
          <option value="extremes">least and greatest value</option>
          <option value="range">the whole range</option>
          <option value="hand">hand</option>
        </select></label>
      <div class="two" data-is="percents">
        <label>From % <input data-is="percent-low" type="number" min="0" max="100" step="0.1" value="0.3"></label>
        <label>to % <input data-is="percent-high" type="number" min="0" max="100" step="0.1" value="99.7"></label>
      </div>
      <label class="wide" data-is="maps"><span>Colours</span>
        <select data-is="map">${options(Object.keys(COLOUR_MAPS))}</select></label>
      <label class="check"><input data-is="anew" type="checkbox"> Anew for each frame</label>
    </section>
    <section>
      <h2>Frame</h2>
      <dl data-is="frame"></dl>
    </section>
    <section>
      <h2>Similar frames</h2>
      <button data-is="find" type="button" title="Find similar frames (F)">Find frames like this one</button>
      <p data-is="unfound" class="quiet" hidden></p>
      <div data-is="matches" class="matches"></div>
    </section>
    <section>
      <h2>Stack</h2>
      <dl data-is="about"></dl>
    </section>
    <details>
      <summary>Keys</summary>
      <dl class="keys">
        <dt><kbd>←</kbd> <kbd>→</kbd></dt><dd>one frame (with Shift: ten)</dd>
        <dt><kbd>↑</kbd> <kbd>↓</kbd></dt><dd>another axis, where there are several</dd>
        <dt><kbd>Home</kbd> <kbd>End</kbd></dt><dd>first, last frame</dd>
        <dt><kbd>Space</kbd></dt><dd>play, stop</dd>
        <dt><kbd>+</kbd> <kbd>−</kbd></dt><dd>zoom; drag moves the picture</dd>
        <dt><kbd>0</kbd> <kbd>1</kbd></dt><dd>fit the frame, pixel by pixel</dd>
        <dt><kbd>C</kbd></dt><dd>next way to set the contrast</dd>
        <dt><kbd>M</kbd></dt><dd>next colours</dd>
        <dt><kbd>F</kbd></dt><dd>find similar frames</dd>
      </dl>
    </details>
  </aside>
</div>`;
