/**
 * What was handed to the disk and is not durable yet, in order. The disk works beside the engine: several writes may be
 * under way, and one that was overtaken by a cut of the log counts for what the cut left of it.
 */
import { assert } from '../base/assert.ts';

interface Write {
  readonly persist: number;
  readonly startedAtMs: number;
  /** The log's last index once it is durable. */
  lastIndex: number;
}

export class Writes {
  readonly #underWay: Write[] = [];
  #started = 0;
  #durable = 0;
  #lastHardState = 0;

  /** @returns the number of this write, one more than the last */
  start(lastIndex: number, changesHardState: boolean, nowMs: number): number {
    this.#started++;
    if (changesHardState) this.#lastHardState = this.#started;
    this.#underWay.push({ persist: this.#started, startedAtMs: nowMs, lastIndex });
    return this.#started;
  }

  /** The log was cut: entries from this index on are no longer what was written. */
  cutFrom(index: number): void {
    for (const write of this.#underWay) write.lastIndex = Math.min(write.lastIndex, index - 1);
  }

  /** @returns up to which index the log is durable now; undefined when nothing new is */
  finish(persist: number): number | undefined {
    assert(persist <= this.#started, 'only what was written becomes durable', { persist, started: this.#started });
    let lastIndex: number | undefined;
    for (let first = this.#underWay[0]; first !== undefined && first.persist <= persist; first = this.#underWay[0]) {
      lastIndex = first.lastIndex;
      this.#underWay.shift();
    }
    this.#durable = Math.max(this.#durable, persist);
    return lastIndex;
  }

  /** The number that the next write will have. */
  get next(): number {
    return this.#started + 1;
  }

  isDurable(persist: number): boolean {
    return persist <= this.#durable;
  }

  /** Term and vote are on the disk as they are here. */
  get isHardStateDurable(): boolean {
    return this.#lastHardState <= this.#durable;
  }

  /** Since when the disk owes the oldest write; undefined when it owes none. */
  get waitingSinceMs(): number | undefined {
    return this.#underWay[0]?.startedAtMs;
  }
}
