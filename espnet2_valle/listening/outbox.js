"use strict";
// Answers on their way to the server. One is on it once the server has said so, and not before.
const LATER = [408, 429]; // the server was asked too slowly, or too much at once

const isTaken = (status) => 200 <= status && status < 300;
// For good: this rater has finished, or the server does not know it, or takes no such answer.
const isRefused = (status) => 400 <= status && status < 500 && !LATER.includes(status);

class Outbox {
  constructor(answers, put, onchange) {
    this.answers = answers; // gives trial -> answer as it is now; `sent` and `refused` are written into an answer
    this.put = put; // of a trial and what is to be stored; gives the server's status
    this.onchange = onchange; // after each answer that needs no more sending
    this.sending = null;
  }

  get waiting() {
    return Object.entries(this.answers()).filter(([, answer]) => !answer.sent && !answer.refused);
  }

  get refused() {
    return Object.values(this.answers()).filter((answer) => answer.refused && !answer.sent).length;
  }

  // Sends what waits; whether nothing waits any more. Who asks meanwhile is told when the same round ends.
  send() {
    if (!this.sending) this.sending = this.sendAll().finally(() => { this.sending = null; });
    return this.sending;
  }

  async sendAll() {
    // Looked up anew after each: answers are given while others are on their way.
    for (let waiting = this.waiting; waiting.length; waiting = this.waiting) {
      if (!(await this.sendOne(...waiting[0]))) return false;
      this.onchange();
    }
    return true;
  }

  async sendOne(trial, answer) {
    const { sent, refused, ...body } = answer;
    const status = await this.put(trial, body).catch(() => 0); // no connection
    answer.sent = isTaken(status);
    if (isRefused(status)) answer.refused = true;
    return answer.sent || isRefused(status);
  }
}
