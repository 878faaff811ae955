// Codes of images as points. Hover: the image. Click: decode. Drag: a path.
const NEAR = 14; // pixels: closer is on an image
const CLICK = 5; // pixels: a shorter drag is a click
const REST = 40; // milliseconds on a point until its image is loaded

export default {
  template: `
    <div class="ve-scatter">
      <div class="ve-plot" ref="plot">
        <canvas ref="points" aria-hidden="true"></canvas>
        <canvas ref="above" tabindex="0" role="application" :aria-label="label"
          @pointerdown="down" @pointermove="over" @pointerup="up"
          @pointerleave="leave" @wheel.prevent="wheel" @keydown="key"></canvas>
        <div class="ve-zoom">
          <button type="button" aria-label="Zoom in" @click="zoom(1.5)">+</button>
          <button type="button" aria-label="Zoom out" @click="zoom(1 / 1.5)">−</button>
          <button type="button" aria-label="Show all" @click="fit(); draw()">⤢</button>
        </div>
        <div class="ve-hover" ref="hover" aria-hidden="true">
          <img ref="image" alt="" /><span ref="name"></span>
        </div>
      </div>
      <div class="ve-legend" v-if="legend.length" role="group" aria-label="Classes">
        <button v-for="(name, i) in legend" :key="i" type="button" @click="only(i)"
          :aria-pressed="String(chosen === i)" :title="'Show ' + name + ' alone'">
          <span class="ve-dot" :style="{ background: colours[i] }"></span>{{ name }}
        </button>
      </div>
    </div>`,
  props: {
    xy: Array, classes: Array, legend: Array, colours: Array, axes: Array,
    images: String, split: String, label: String, equal: Boolean,
  },
  data: () => ({ chosen: null }),
  created() {
    this.marker = null;
    this.path = null; // [from, to], of images
    this.drag = null;
  },
  mounted() {
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.$refs.plot);
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    this.themed = () => this.draw();
    this.scheme.addEventListener("change", this.themed);
    this.theme = new MutationObserver(this.themed);
    this.theme.observe(document.body, { attributeFilter: ["class"] });
  },
  unmounted() {
    this.observer.disconnect();
    this.theme.disconnect();
    this.scheme.removeEventListener("change", this.themed);
  },
  methods: {
    // --- what the server calls
    setMarker(x, y) {
      this.marker = [x, y];
      this.drawAbove();
    },
    setPath(from, to) {
      this.path = from === null ? null : [from, to];
      this.drawAbove();
    },
    // --- coordinates
    resize() {
      const { clientWidth: width, clientHeight: height } = this.$refs.plot;
      if (!width || !height) return; // on a tab that isn't shown
      const ratio = window.devicePixelRatio || 1;
      for (const canvas of [this.$refs.points, this.$refs.above]) {
        canvas.width = width * ratio;
        canvas.height = height * ratio;
        canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
      }
      const first = !this.width;
      [this.width, this.height] = [width, height];
      if (first) this.fit();
      this.draw();
    },
    fit() {
      const ends = [0, 1].map((k) => {
        let [low, high] = [Infinity, -Infinity];
        for (let i = k; i < this.xy.length; i += 2) {
          low = Math.min(low, this.xy[i]);
          high = Math.max(high, this.xy[i]);
        }
        return [low, Math.max(high, low + 1e-6)];
      });
      this.middle = ends.map(([low, high]) => (low + high) / 2);
      const room = [this.width - 70, this.height - 60];
      this.scale = ends.map(([low, high], k) => room[k] / (high - low));
      if (this.equal) this.scale.fill(Math.min(...this.scale));
    },
    toScreen(x, y) {
      return [
        this.width / 2 + 12 + (x - this.middle[0]) * this.scale[0],
        this.height / 2 - 10 - (y - this.middle[1]) * this.scale[1],
      ];
    },
    toData(left, top) {
      return [
        this.middle[0] + (left - this.width / 2 - 12) / this.scale[0],
        this.middle[1] - (top - this.height / 2 + 10) / this.scale[1],
      ];
    },
    place(event) {
      const box = this.$refs.above.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    },
    nearest(left, top) {
      let [best, least] = [-1, Infinity];
      for (let i = 0; i < this.xy.length / 2; i++) {
        if (this.chosen !== null && this.classes[i] !== this.chosen) continue;
        const [x, y] = this.toScreen(this.xy[2 * i], this.xy[2 * i + 1]);
        const distance = (x - left) ** 2 + (y - top) ** 2;
        if (distance < least) [best, least] = [i, distance];
      }
      return { index: best, pixels: Math.sqrt(least) };
    },
    zoom(factor, left = this.width / 2, top = this.height / 2) {
      const [x, y] = this.toData(left, top);
      this.scale = this.scale.map((s) => s * factor);
      const [nowX, nowY] = this.toData(left, top);
      this.middle = [this.middle[0] + x - nowX, this.middle[1] + y - nowY];
      this.draw();
    },
    only(index) {
      this.chosen = this.chosen === index ? null : index;
      this.draw();
    },
    // --- what the user does
    wheel(event) {
      this.zoom(Math.exp(-event.deltaY / 400), ...this.place(event));
      this.$refs.hover.style.display = "none";
    },
    down(event) {
      if (event.button !== 0) return;
      const at = this.place(event);
      clearTimeout(this.loading);
      this.hovered = null;
      this.$refs.above.setPointerCapture(event.pointerId);
      this.drag = { start: at, at, pans: event.shiftKey, from: this.nearest(...at).index };
    },
    over(event) {
      const at = this.place(event);
      if (!this.drag) return this.hover(at);
      const [before, drag] = [this.drag.at, this.drag];
      drag.at = at;
      if (drag.pans) {
        this.middle[0] -= (at[0] - before[0]) / this.scale[0];
        this.middle[1] += (at[1] - before[1]) / this.scale[1];
        return this.draw();
      }
      if (this.isDrag()) this.hover(at);
      this.drawAbove();
    },
    isDrag() {
      const { start, at } = this.drag;
      return Math.hypot(at[0] - start[0], at[1] - start[1]) > CLICK;
    },
    up(event) {
      const drag = this.drag;
      if (!drag) return;
      drag.at = this.place(event);
      const dragged = this.isDrag();
      this.drag = null;
      if (drag.pans) return;
      if (!dragged) return this.decode(...this.toData(...drag.at), event);
      const to = this.nearest(...drag.at).index;
      if (to >= 0 && to !== drag.from) this.$emit("path", { from: drag.from, to });
      this.drawAbove();
    },
    leave() {
      clearTimeout(this.loading);
      this.hovered = null;
      this.$refs.hover.style.display = "none";
    },
    key(event) {
      const step = (event.shiftKey ? 40 : 8) / 1;
      const moves = {
        ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
      };
      if (moves[event.key]) {
        const [left, top] = this.toScreen(...(this.marker || this.middle));
        const to = [left + moves[event.key][0], top + moves[event.key][1]];
        this.decode(...this.toData(...to), event);
      } else if (event.key === "+" || event.key === "=") this.zoom(1.5);
      else if (event.key === "-") this.zoom(1 / 1.5);
      else if (event.key === "0") {
        this.fit();
        this.draw();
      } else if (event.key === "i" && this.marker) {
        const index = this.nearest(...this.toScreen(...this.marker)).index;
        if (this.begun === undefined) this.begun = index;
        else {
          if (index !== this.begun) this.$emit("path", { from: this.begun, to: index });
          this.begun = undefined;
        }
      } else return;
      event.preventDefault();
    },
    decode(x, y, event) {
      this.setMarker(x, y);
      this.$emit("decode", { x, y, move: window.vaeLatency.send(event) });
    },
    hover(at) {
      const { index, pixels } = this.nearest(...at);
      const { hover, image, name } = this.$refs;
      if (pixels > NEAR) {
        hover.style.display = "none";
        return;
      }
      if (this.hovered !== index) {
        this.hovered = index;
        clearTimeout(this.loading); // of a point that was only passed
        const load = () => (image.src = `${this.images}/${index}.png`);
        this.loading = setTimeout(load, REST);
        const own = this.legend[this.classes[index]];
        name.textContent = `image ${index}` + (own === undefined ? "" : `: ${own}`);
      }
      hover.style.display = "flex";
      const right = at[0] + 20 + hover.offsetWidth > this.width;
      hover.style.left = `${right ? at[0] - 16 - hover.offsetWidth : at[0] + 16}px`;
      const top = Math.min(at[1] + 12, this.height - hover.offsetHeight - 4);
      hover.style.top = `${Math.max(4, top)}px`;
    },
    // --- drawing
    ink(name) {
      return getComputedStyle(this.$refs.plot).getPropertyValue(name).trim();
    },
    draw() {
      if (!this.width) return;
      const context = this.$refs.points.getContext("2d");
      context.clearRect(0, 0, this.width, this.height);
      this.drawAxes(context);
      const size = this.xy.length > 2000 ? 2.4 : 3.4;
      context.globalAlpha = 0.75;
      for (let i = 0; i < this.xy.length / 2; i++) {
        const own = this.classes[i];
        if (this.chosen !== null && own !== this.chosen) continue;
        const [x, y] = this.toScreen(this.xy[2 * i], this.xy[2 * i + 1]);
        if (x < -5 || y < -5 || x > this.width + 5 || y > this.height + 5) continue;
        context.fillStyle = this.colours[own] || this.colours[0];
        context.beginPath();
        context.arc(x, y, size, 0, 2 * Math.PI);
        context.fill();
      }
      context.globalAlpha = 1;
      this.drawAbove();
    },
    drawAxes(context) {
      context.font = "11px Roboto, sans-serif";
      for (const k of [0, 1]) {
        const length = k ? this.height : this.width;
        const step = niceStep(70 / this.scale[k]);
        const low = Math.min(this.toData(0, 0)[k], this.toData(this.width, this.height)[k]);
        for (let n = Math.ceil(low / step); ; n++) {
          const [x, y] = this.toScreen(n * step, n * step);
          if (k ? y < 0 : x > length) break;
          context.strokeStyle = this.ink(n ? "--ve-grid" : "--ve-axis");
          context.beginPath();
          if (k) context.moveTo(0, y), context.lineTo(this.width, y);
          else context.moveTo(x, 0), context.lineTo(x, this.height);
          context.stroke();
          context.fillStyle = this.ink("--ve-quiet");
          const text = Number((n * step).toPrecision(6)).toString();
          if (k && y > 12 && y < this.height - 24) context.fillText(text, 4, y - 3);
          if (!k && x > 24) context.fillText(text, x + 3, this.height - 5);
        }
      }
      context.fillStyle = this.ink("--ve-text");
      context.font = "12px Roboto, sans-serif";
      context.textAlign = "right";
      context.fillText(`${this.axes[0]} →`, this.width - 8, this.height - 20);
      context.textAlign = "left";
      context.fillText(`↑ ${this.axes[1]}`, 26, 16);
    },
    drawAbove() {
      if (!this.width) return;
      const context = this.$refs.above.getContext("2d");
      context.clearRect(0, 0, this.width, this.height);
      const of = (i) => this.toScreen(this.xy[2 * i], this.xy[2 * i + 1]);
      if (this.path) this.line(context, of(this.path[0]), of(this.path[1]));
      if (this.drag && !this.drag.pans && this.isDrag() && this.drag.from >= 0) {
        this.line(context, of(this.drag.from), this.drag.at);
      }
      if (!this.marker) return;
      const [x, y] = this.toScreen(...this.marker);
      for (const [width, ink] of [[5, "--ve-card"], [2, "--ve-text"]]) {
        context.lineWidth = width;
        context.strokeStyle = this.ink(ink);
        context.beginPath();
        context.arc(x, y, 8, 0, 2 * Math.PI);
        context.moveTo(x - 14, y), context.lineTo(x - 4, y);
        context.moveTo(x + 4, y), context.lineTo(x + 14, y);
        context.moveTo(x, y - 14), context.lineTo(x, y - 4);
        context.moveTo(x, y + 4), context.lineTo(x, y + 14);
        context.stroke();
      }
    },
    line(context, from, to) {
      for (const [width, ink] of [[5, "--ve-card"], [2, "--ve-text"]]) {
        context.lineWidth = width;
        context.strokeStyle = context.fillStyle = this.ink(ink);
        context.beginPath();
        context.moveTo(...from);
        context.lineTo(...to);
        context.stroke();
        for (const end of [from, to]) {
          context.beginPath();
          context.arc(...end, 2 + width, 0, 2 * Math.PI);
          context.fill();
        }
      }
    },
  },
};

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((m) => m * power >= least);
}
