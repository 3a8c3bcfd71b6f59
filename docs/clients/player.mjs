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

export class JwPing {
  nDropped = 0;
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
    // CLOCK_BOOTTIME, which goes on in standby.  No two events share a moment.
    const nowMs = Math.floor(Number(readFileSync("/proc/uptime", "ascii").split(" ")[0]) * 1000);
    this.#lastAtMs = Math.max(nowMs, this.#lastAtMs + 1);
    const key = name === "playlistItem" ? { play: randomUUID() } : {};
    const id = ++this.#nEvents;
    this.#log.push({ event: name, ...key, ...values, at: this.#lastAtMs / 1000, id });
    while (this.#log.length && (this.#log.length > MAX_EVENTS || this.#isSafe(this.#log[0]))) this.#forgetOldest();
    this.#write();
  }

  // True once the daemon has everything, false if it does not within waitMs.
  async close(waitMs) {
    for (let n = waitMs / 20; n > 0 && this.#acknowledged < this.#nEvents; n--) await sleep(20);
    this.#isClosed = true;
    this.#socket.destroy();
    return this.#acknowledged >= this.#nEvents;
  }

  #isSafe(event) {
    return event.id <= this.#acknowledged && event.at * 1000 < this.#lastAtMs - KEPT_MS;
  }

  #forgetOldest() {
    const event = this.#log.shift();
    if (this.#nWritten) this.#nWritten--;
    if (event.id > this.#acknowledged) this.nDropped++;
    if (event.event === "hello" || event.event === "playlistItem") this.#before[event.event] = event;
    if (event.event === "complete" || event.event === "remove") delete this.#before.playlistItem;
  }

  #connect() {
    let replies = "";
    this.#socket = connect(this.#path);
    this.#socket.on("connect", () => {
      this.#nWritten = 0;
      const at = (this.#log.length ? this.#log[0].at * 1000 - 1 : this.#lastAtMs) / 1000;
      for (const name of ["hello", "playlistItem"])
        if (this.#before[name]) this.#socket.write(JSON.stringify({ ...this.#before[name], at }) + "\n");
      this.#write();
    });
    this.#socket.on("drain", () => this.#write());
    this.#socket.on("data", (data) => {
      const lines = (replies + data).split("\n");
      replies = lines.pop();
      for (const line of lines) this.#hear(JSON.parse(line));
    });
    this.#socket.on("error", () => {}); // "close" follows
    this.#socket.on("close", () => this.#isClosed || setTimeout(() => this.#isClosed || this.#connect(), RETRY_MS));
  }

  #hear(reply) {
    if (!("ack" in reply)) return; // an error: see docs/protocol.md
    this.#acknowledged = Math.max(this.#acknowledged, reply.ack);
    const isOver = (event) => event.id <= this.#acknowledged && (event.event === "complete" || event.event === "remove");
    for (let n = this.#log.findLastIndex(isOver) + 1; n > 0; n--) this.#forgetOldest();
  }

  #write() {
    if (this.#socket?.readyState !== "open") return;
    while (this.#nWritten < this.#log.length && !this.#socket.writableNeedDrain)
      this.#socket.write(JSON.stringify(this.#log[this.#nWritten++]) + "\n");
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
