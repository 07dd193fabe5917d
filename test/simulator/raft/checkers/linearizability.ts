/**
 * Linearizability of one register a key, each of whose values is written once. For this shape of history there is an exact
 * test that takes no search (Gibbons and Korach, "Testing shared memories", 1997, on histories with a read mapping):
 * the operations of a value, its write and its reads, span a zone from the earliest end among them to the latest
 * beginning. Where that is forwards, the value was there for the whole of it. A history is linearizable exactly when
 *
 *  1. no read ends before the write of its value began,
 *  2. no two forward zones overlap,
 *  3. no backward zone, whose operations all were under way at one moment, lies within a forward one.
 *
 * A write whose outcome nobody knows counts from when it is read, as one that never ends; one that was certainly refused
 * may never be read. Moments are numbers that rise with every beginning and end: no two are equal.
 */
import type { Report } from '../../checkers/violation.ts';

/** Its operations so far. */
interface Zone {
  readonly value: string;
  readonly writeBegan: number;
  earliestEnd: number;
  latestBeginning: number;
  /** Somebody has read it, or was told that it is written. */
  isCertain: boolean;
  isRefused: boolean;
}

const NAME = 'linearizability';
/** What a register holds before anything is written. */
export const NOTHING_WRITTEN = '';

class Register {
  readonly zones = new Map<string, Zone>();

  constructor() {
    const began = -Infinity;
    const zone = { value: NOTHING_WRITTEN, writeBegan: began, earliestEnd: began, latestBeginning: began };
    this.zones.set(NOTHING_WRITTEN, { ...zone, isCertain: true, isRefused: false });
  }
}

export class LinearizabilityChecker {
  readonly #report: Report;
  readonly #registers = new Map<string, Register>();
  #moment = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  /** @returns the moment of a beginning or an end */
  now(): number {
    return ++this.#moment;
  }

  /** @param value that is written nowhere else */
  writeBegins(key: string, value: string): void {
    const began = this.now();
    this.#registerOf(key).zones.set(value, {
      value,
      writeBegan: began,
      earliestEnd: Infinity,
      latestBeginning: began,
      isCertain: false,
      isRefused: false,
    });
  }

  written(key: string, value: string): void {
    this.#ends(key, value, this.now(), null);
  }

  /** It certainly was not done, and will not be. */
  refused(key: string, value: string): void {
    const zone = this.#registerOf(key).zones.get(value);
    if (zone === undefined) return;
    zone.isRefused = true;
    if (zone.isCertain) this.#violated('what was refused is never read', { key, value });
  }

  /** @param began by `now`, when the read did */
  read(key: string, value: string, began: number): void {
    this.#ends(key, value, this.now(), began);
  }

  #ends(key: string, value: string, ended: number, readBegan: number | null): void {
    const { zones } = this.#registerOf(key);
    const zone = zones.get(value);
    if (zone === undefined) return this.#violated('what is read was written before', { key, value });
    if (zone.isRefused) return this.#violated('what was refused is never read', { key, value });
    if (ended < zone.writeBegan) this.#violated('what is read was written before', { key, value });
    zone.isCertain = true;
    zone.earliestEnd = Math.min(zone.earliestEnd, ended);
    if (readBegan !== null) zone.latestBeginning = Math.max(zone.latestBeginning, readBegan);
    for (const other of zones.values()) {
      if (other === zone || !other.isCertain || !clash(zone, other)) continue;
      const details = { key, value, other: other.value, ...numbersOf(zone), otherZone: JSON.stringify(other) };
      return this.#violated('what is read and written has one order', details);
    }
  }

  #registerOf(key: string): Register {
    let register = this.#registers.get(key);
    if (register === undefined) this.#registers.set(key, (register = new Register()));
    return register;
  }

  #violated(message: string, details: Readonly<Record<string, string | number>>): void {
    this.#report({ checker: NAME, message, details });
  }
}

function clash(one: Zone, other: Zone): boolean {
  const [oneIsForward, otherIsForward] = [isForward(one), isForward(other)];
  if (oneIsForward && otherIsForward) {
    return one.earliestEnd < other.latestBeginning && other.earliestEnd < one.latestBeginning;
  }
  if (oneIsForward) return isWithin(other, one);
  return otherIsForward && isWithin(one, other);
}

function isForward({ earliestEnd, latestBeginning }: Zone): boolean {
  return earliestEnd < latestBeginning;
}

/** @param backward lies between the ends of `forward` */
function isWithin(backward: Zone, forward: Zone): boolean {
  return forward.earliestEnd < backward.latestBeginning && backward.earliestEnd < forward.latestBeginning;
}

function numbersOf({ earliestEnd, latestBeginning, writeBegan }: Zone): Record<string, number> {
  return { writeBegan, earliestEnd, latestBeginning };
}
