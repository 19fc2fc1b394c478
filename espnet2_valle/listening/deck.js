"use strict";
// Recordings of one item that run side by side, of which one is heard: a switch keeps the place, without a gap (BS.1534).
// A recording counts as heard once it has been listened to for as long as it lasts, in one piece or in several.
class Deck {
  constructor(sources, onheard, onmove) {
    this.sources = sources;
    this.onheard = onheard; // of the number of a recording
    this.onmove = onmove;
    this.buffers = sources.map(() => null); // until it is loaded
    this.voices = []; // what is playing: {source, gain}, null where the recording is over or not loaded
    this.heard = sources.map(() => 0);
    this.chosen = 0;
    this.place = 0; // seconds, where it stands or last started from
    this.repeats = false;
    this.started = null; // on the context's clock; null while it stands
    this.seconds = 0; // of the longest
    this.context = new AudioContext();
  }

  // One recording; those that are loaded can be heard without it. Throws what the last try met.
  async load(number) {
    const decode = async (reply) => this.context.decodeAudioData(await reply.arrayBuffer());
    const buffer = await patiently(this.sources[number], decode);
    const going = this.started !== null;
    this.pause();
    this.buffers[number] = buffer;
    this.seconds = Math.max(this.seconds, buffer.duration);
    if (going) this.play(); // with the new one among them
  }

  get position() {
    return this.started === null ? this.place : Math.min(this.seconds, this.place + this.context.currentTime - this.started);
  }

  play() {
    if (this.position >= this.seconds) this.place = 0;
    this.context.resume();
    this.started = this.context.currentTime;
    this.counted = this.place;
    this.voices = this.buffers.map((buffer, number) => {
      if (!buffer || this.place >= buffer.duration) return null;
      const source = new AudioBufferSourceNode(this.context, { buffer });
      const gain = new GainNode(this.context, { gain: number === this.chosen ? 1 : 0 });
      source.connect(gain).connect(this.context.destination);
      source.start(this.started, this.place);
      return { source, gain };
    });
    this.timer = setInterval(() => this.tick(), 40);
    this.onmove();
  }

  pause() {
    if (this.started === null) return;
    this.count();
    this.place = this.position;
    this.started = null;
    clearInterval(this.timer);
    for (const voice of this.voices) if (voice) voice.source.stop();
    this.onmove();
  }

  seek(seconds) {
    const going = this.started !== null;
    this.pause();
    this.place = Math.min(this.seconds, Math.max(0, seconds));
    if (going) this.play();
    this.onmove();
  }

  choose(number) {
    if (this.started !== null) this.count();
    this.chosen = number;
    if (this.started === null) return this.play();
    this.voices.forEach((voice, other) => {
      if (voice) voice.gain.gain.setTargetAtTime(other === number ? 1 : 0, this.context.currentTime, 0.005); // no click
    });
    this.onmove();
  }

  // Goes on with the recording that was heard last, or with the first that is loaded.
  begin() {
    this.choose(this.buffers[this.chosen] ? this.chosen : this.buffers.findIndex(Boolean));
  }

  // Adds what was listened to since the last time.
  count() {
    const { duration } = this.buffers[this.chosen];
    const now = this.position;
    const before = this.heard[this.chosen];
    const after = before + Math.max(0, Math.min(now, duration) - this.counted);
    this.counted = now;
    this.heard[this.chosen] = after;
    const enough = 0.95 * duration;
    if (before < enough && after >= enough) this.onheard(this.chosen);
  }

  tick() {
    this.count();
    if (this.position >= this.seconds) {
      this.pause();
      this.place = 0;
      if (this.repeats) this.play();
    }
    this.onmove();
  }

  close() {
    this.pause();
    this.context.close();
  }
}
