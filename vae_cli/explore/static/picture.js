// One picture that follows the moves of the user.
export default {
  template: `
    <figure class="ve-picture">
      <img ref="image" :alt="label" :src="blank" draggable="false" @load="shown" />
      <figcaption aria-live="polite">{{ caption }}</figcaption>
      <span class="ve-time" ref="time"></span>
    </figure>`,
  props: { label: String, caption: String },
  data: () => ({ blank: "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=" }),
  created() {
    this.move = 0;
  },
  methods: {
    show(url, move) {
      this.move = move;
      // not by a property: Vue would compare the whole page for each picture
      this.$refs.image.src = url;
    },
    shown() {
      const time = this.move ? window.vaeLatency.shown(this.move) : null;
      if (time !== null) {
        this.$refs.time.textContent = `${Math.round(time)} ms from move to picture`;
      }
    },
  },
};
