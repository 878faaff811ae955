// From a move of the user to the picture that shows it, in milliseconds. A move that
// a later one has overtaken gets no picture, and is not counted.
window.vaeLatency = {
  last: 0,
  sent: new Map(),
  times: [],
  send(event) {
    this.last += 1;
    this.sent.set(this.last, event.timeStamp);
    return this.last;
  },
  shown(move) {
    const start = this.sent.get(move);
    for (const earlier of [...this.sent.keys()]) {
      if (earlier <= move) this.sent.delete(earlier);
    }
    if (start === undefined) return null;
    const milliseconds = performance.now() - start;
    this.times.push(milliseconds);
    if (this.times.length > 1000) this.times.shift();
    return milliseconds;
  },
};
