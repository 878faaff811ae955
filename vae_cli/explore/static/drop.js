// A place to drop picture files on, or to choose them.
export default {
  template: `
    <div class="ve-drop" :class="{ over }" @dragenter.prevent="over = true"
      @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="dropped">
      <label :for="id">Drop pictures here, or choose files</label>
      <input type="file" :id="id" multiple :accept="accept" @change="chosen" />
      <p role="status">{{ state }}</p>
    </div>`,
  props: { url: String, id: String, accept: String, maxFiles: Number, maxFileSize: Number },
  data: () => ({ over: false, state: "" }),
  methods: {
    dropped(event) {
      this.over = false;
      this.send([...event.dataTransfer.files]);
    },
    chosen(event) {
      this.send([...event.target.files]);
      event.target.value = ""; // so that the same file may be chosen again
    },
    async send(files) {
      if (!files.length) return;
      if (files.length > this.maxFiles) {
        this.state = `At most ${this.maxFiles} pictures at a time.`;
        return;
      }
      const large = files.find((file) => file.size > this.maxFileSize);
      if (large) {
        this.state = `${large.name} is larger than ${this.maxFileSize / 2 ** 20} MB.`;
        return;
      }
      const form = new FormData();
      // a name each: of fields of one name, the server keeps the last
      files.forEach((file, i) => form.append(`file${i}`, file, file.name));
      this.state = "Scoring …";
      const answer = await fetch(this.url, { method: "POST", body: form });
      if (!answer.ok) this.state = `The server refused the files (${answer.status}).`;
    },
    say(state) {
      this.state = state;
    },
  },
};
