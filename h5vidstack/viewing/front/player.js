// Playing: frames at an even rate, as far as they have come; none is left out while waiting.

const AHEAD_BYTES = 96 << 20;
const AHEAD_SECONDS = 3;

export class Player {
  /** @param viewer What is played; see `Viewer`. */
  constructor(viewer) {
    this.viewer = viewer;
    this.rate = 25;
    this.running = null;
    this.measured = null; // frames a second
  }

  toggle() {
    if (this.running) this.stop();
    else this.start();
  }

  stop() {
    if (!this.running) return;
    this.running = null;
    this.measured = null;
    this.viewer.playingChanged();
  }

  start() {
    if (this.viewer.axis.length < 2) return;
    const run = (this.running = {});
    this.viewer.playingChanged();
    let due = performance.now();
    const shown = [];
    const step = (now) => {
      if (this.running !== run) return;
      requestAnimationFrame(step);
      const next = (frame, count) => this.viewer.along(frame, count);
      // Where the screen is slower than the rate, it shows the last frame that is due.
      let [frame, steps] = [this.viewer.current, 0];
      while (due <= now && this.viewer.ready(next(frame, 1))) {
        frame = next(frame, 1);
        steps++;
        due += 1000 / this.rate;
      }
      if (due < now - 100) due = now; // what waited for frames is not made up for
      if (steps) {
        this.viewer.showNow(frame);
        for (let i = 0; i < steps; i++) shown.push(now);
      }
      while (shown.length && shown[0] < now - 1000) shown.shift();
      if (shown.length > 2 && now - shown[0] > 500) this.measured = (1000 * (shown.length - 1)) / (now - shown[0]);
      this.viewer.wantAhead(this.ahead());
    };
    requestAnimationFrame(step);
  }

  /** How many frames to have before they are due. */
  ahead() {
    const bytes = this.viewer.stage.tiles().reduce((sum, tile) => sum + this.viewer.store.bytesOf(tile), 0);
    const most = Math.min(this.viewer.axis.length - 1, Math.ceil(this.rate * AHEAD_SECONDS));
    return Math.max(1, Math.min(most, Math.floor(AHEAD_BYTES / Math.max(1, bytes))));
  }
}
