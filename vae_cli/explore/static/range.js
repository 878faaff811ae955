// One labelled slider.
export default {
  template: `
    <div class="ve-row ve-labelled">
      <label :for="id">{{ label }}</label>
      <input class="ve-range" type="range" :id="id" ref="input" :min="low" :max="high"
        :step="step" @input="moved" />
      <output :for="id">{{ shown }}</output>
    </div>`,
  props: { id: String, label: String, low: Number, high: Number, step: Number, start: Number },
  data: () => ({ shown: "" }),
  mounted() {
    // not bound: Vue would set it back whenever the page changes
    this.$refs.input.value = this.start;
    this.shown = this.start.toFixed(2);
  },
  methods: {
    moved(event) {
      const value = Number(event.target.value);
      this.shown = value.toFixed(2);
      this.$emit("move", value);
    },
  },
};
