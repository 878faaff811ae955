// A slider for each latent dimension, and a strip of what it changes.
export default {
  template: `
    <div class="ve-sliders">
      <div v-for="d in dims" :key="d.dim" class="ve-slider">
        <div class="ve-slider-head">
          <label :for="id + '-' + d.dim">{{ d.name }}</label>
          <span class="ve-kl" :title="d.kl + ' nats'">
            <span class="ve-bar"><span :style="{ width: d.percent + '%' }"></span></span>
            {{ d.kl }} nats
          </span>
          <output :ref="'value' + d.dim" :for="id + '-' + d.dim">0.00</output>
        </div>
        <input type="range" :id="id + '-' + d.dim" :ref="'input' + d.dim"
          :min="d.low" :max="d.high" step="any" @input="moved(d, $event)"
          @keydown="stepped(d, $event)" />
        <div class="ve-ends" aria-hidden="true">
          <span>{{ d.low }}</span>
          <img :ref="'strip' + d.dim" :src="blank" draggable="false"
            alt="" @click="picked(d, $event)" />
          <span>{{ d.high }}</span>
        </div>
      </div>
    </div>`,
  props: { dims: Array, id: String },
  data: () => ({ blank: "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=" }),
  created() {
    this.code = {};
  },
  methods: {
    part(name, dim) {
      const found = this.$refs[name + dim];
      return Array.isArray(found) ? found[0] : found;
    },
    write(dim, value) {
      const output = this.part("value", dim);
      if (output) output.textContent = value.toFixed(2);
    },
    moved(d, event) {
      this.send(d, Number(event.target.value), event);
    },
    stepped(d, event) {
      // a step of "any" leaves the size of arrow steps to the browser
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
      const pages = { PageDown: -1, PageUp: 1 };
      const size = (d.high - d.low) / 60;
      let by = (steps[event.key] || 0) * size + (pages[event.key] || 0) * 5 * size;
      if (!by) return;
      event.preventDefault();
      const value = Math.min(d.high, Math.max(d.low, Number(event.target.value) + by));
      event.target.value = value;
      this.send(d, value, event);
    },
    picked(d, event) {
      const box = event.target.getBoundingClientRect();
      const across = (event.clientX - box.left) / box.width;
      // pictures stand for the values at their middles, the first and last at the ends
      const place = Math.min(d.steps - 1, Math.floor(across * d.steps)) / (d.steps - 1);
      const value = d.low + place * (d.high - d.low);
      this.part("input", d.dim).value = value;
      this.send(d, value, event);
    },
    send(d, value, event) {
      this.code[d.dim] = value;
      this.write(d.dim, value);
      this.$emit("move", { dim: d.dim, value, move: window.vaeLatency.send(event) });
    },
    setCode(code) {
      code.forEach((value, dim) => {
        this.code[dim] = value;
        const input = this.part("input", dim);
        if (!input) return;
        input.value = value;
        this.write(dim, value);
      });
    },
    setStrip(dim, url) {
      const strip = this.part("strip", dim);
      if (strip) strip.src = url;
    },
  },
  updated() {
    for (const d of this.dims) {
      // those that have just appeared
      const input = this.part("input", d.dim);
      if (input && this.code[d.dim] !== undefined) {
        input.value = this.code[d.dim];
        this.write(d.dim, this.code[d.dim]);
      }
    }
  },
};
