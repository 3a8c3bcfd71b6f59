// A player in Node that shows nothing: it "plays" a film of so many seconds and tells jwpingd.
//
//     node player.mjs /run/jwpingd/player.sock 10
//
// The class is all a player needs.  No call throws or waits.  While the daemon is away, or does not read,
// events are kept with their moment, up to a bound.  After a cut the play goes on under its key, and what
// the daemon may not have on flash is said again; it tells by "at" what it has.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const MAX_EVENTS = 1200; // five minutes of four ticks a second
const KEPT_MS = 60_000; // the daemon puts the state of a play on flash every 30 s
const RETRY_MS = 500;
const ENDS = new Set(["complete", "remove"]);
const line = ({ body, atMs, id }) => `${body},"at":${atMs / 1000},"id":${id}}\n`;

export class JwPing {
  nDropped = 0; // did not fit
  nRefused = 0; // were no events
  #path;
  #log = []; // events that the daemon may not have on flash, oldest first
  #nWritten = 0; // of them
  #before = {}; // the last hello and playlistItem that are no longer in the log
  #nEvents = 0;
  #acknowledged = 0;
  #lastAtMs = 0;
  #socket;
  #isClosed = false;

  constructor(path, hello) {
    this.#path = path;
    this.event("hello", hello);
    this.#connect();
  }

  event(name, values = {}) {
    try {
      this.#add(name, values);
    } catch {
      this.nRefused++; // what is no JSON must not become the player's trouble
    }
    this.#write();
  }

  // True once the daemon has everything, false if it does not within waitMs.
  async close(waitMs) {
    for (let n = waitMs / 20; n > 0 && this.#acknowledged < this.#nEvents; n--) await sleep(20);
    this.#isClosed = true;
    this.#socket.destroy();
    return this.#acknowledged >= this.#nEvents;
  }

  #add(name, values) {
    // CLOCK_BOOTTIME, which goes on in standby.  No two events share a moment.
    const nowMs = Math.floor(Number(readFileSync("/proc/uptime", "ascii").split(" ")[0]) * 1000);
    this.#lastAtMs = Math.max(nowMs, this.#lastAtMs + 1);
    const key = name === "playlistItem" ? { play: randomUUID() } : {};
    const body = JSON.stringify({ event: name, ...key, ...values }).slice(0, -1);
    this.#log.push({ name, body, atMs: this.#lastAtMs, id: ++this.#nEvents });
    while (this.#log.length && (this.#log.length > MAX_EVENTS || this.#isSafe(this.#log[0]))) this.#forgetOldest();
  }

  #isSafe(event) {
    return event.id <= this.#acknowledged && event.atMs < this.#lastAtMs - KEPT_MS;
  }

  #forgetOldest() {
    const event = this.#log.shift();
    if (this.#nWritten) this.#nWritten--;
    if (event.id > this.#acknowledged) this.nDropped++;
    if (event.name === "hello" || event.name === "playlistItem") this.#before[event.name] = event;
    if (ENDS.has(event.name)) delete this.#before.playlistItem;
  }

  #connect() {
    let replies = "";
    this.#socket = connect(this.#path);
    this.#socket.on("connect", () => {
      this.#nWritten = 0;
      const atMs = this.#log.length ? this.#log[0].atMs - 1 : this.#lastAtMs;
      for (const name of ["hello", "playlistItem"])
        if (this.#before[name]) this.#socket.write(line({ ...this.#before[name], atMs }));
      this.#write();
    });
    this.#socket.on("drain", () => this.#write());
    this.#socket.on("data", (data) => {
      const lines = (replies + data).split("\n");
      replies = lines.pop().slice(0, 16384);
      for (const reply of lines) this.#hear(reply);
    });
    this.#socket.on("error", () => {}); // "close" follows
    this.#socket.on("close", () => this.#isClosed || setTimeout(() => this.#isClosed || this.#connect(), RETRY_MS));
  }

  #hear(reply) {
    const ack = /^\{"ack":(\d{1,15})\}$/.exec(reply);
    if (!ack) return; // an error: see docs/protocol.md
    this.#acknowledged = Math.max(this.#acknowledged, Number(ack[1]));
    const isOver = (event) => event.id <= this.#acknowledged && ENDS.has(event.name);
    for (let n = this.#log.findLastIndex(isOver) + 1; n > 0; n--) this.#forgetOldest();
  }

  #write() {
    if (this.#socket?.readyState !== "open") return;
    while (this.#nWritten < this.#log.length && !this.#socket.writableNeedDrain)
      this.#socket.write(line(this.#log[this.#nWritten++]));
  }
}

const [path = "/run/jwpingd/player.sock", duration = 10] = process.argv.slice(2);
const jw = new JwPing(path, { app: { id: "com.example.tv", version: "2.4.1" } });
jw.event("playlistItem", { mediaid: "NnNnNnN1", title: "A film from Node" });
for (let position = 0; position <= duration; position += 0.25) {
  jw.event("time", { position, duration: Number(duration) });
  await sleep(250);
}
jw.event("complete");
process.exitCode = (await jw.close(5000)) ? 0 : 1;
