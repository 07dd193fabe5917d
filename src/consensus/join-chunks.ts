/**
 * The chunks of one snapshot: which are here, which are asked for, which is to be asked for next. A chunk that a server
 * has had for long is asked of a second one, so that the slowest server does not set the time of the whole.
 */
import type { ServerId } from './join-contract.ts';

/** Chunks asked for, or here and not durable yet: bounds the memory of a joining node. */
const MAX_UNSETTLED = 16;
/** A chunk is asked of a second server after this, where nothing else is left to ask for. */
const ASK_ANOTHER_AFTER_MS = 3_000;
const MAX_ASKERS = 2;

interface Asked {
  readonly of: ServerId[];
  readonly sinceMs: number;
}

export class JoinChunks {
  readonly count: number;
  readonly #missing: number[];
  readonly #asked = new Map<number, Asked>();
  /** Verified, on their way to the disk. */
  readonly #unwritten = new Set<number>();
  readonly #kept: Set<number>;

  constructor(count: number, kept: Iterable<number>) {
    this.count = count;
    this.#kept = new Set([...kept].filter((index) => index < count));
    this.#missing = Array.from({ length: count }, (_, index) => index).filter((index) => !this.#kept.has(index));
  }

  get keptCount(): number {
    return this.#kept.size;
  }

  get isComplete(): boolean {
    return this.#kept.size === this.count;
  }

  get kept(): ReadonlySet<number> {
    return this.#kept;
  }

  /** Whether the chunk is still waited for. */
  isWanted(index: number): boolean {
    return !this.#kept.has(index) && !this.#unwritten.has(index);
  }

  /** The next chunk to ask this server for, which from now on counts as asked; undefined where there is none. */
  take(server: ServerId, elapsedMs: number): number | undefined {
    if (this.#asked.size + this.#unwritten.size >= MAX_UNSETTLED) return this.#takeLate(server, elapsedMs);
    const next = this.#missing.shift();
    if (next === undefined) return this.#takeLate(server, elapsedMs);
    this.#asked.set(next, { of: [server], sinceMs: elapsedMs });
    return next;
  }

  #takeLate(server: ServerId, elapsedMs: number): number | undefined {
    for (const [index, { of, sinceMs }] of this.#asked) {
      if (of.length >= MAX_ASKERS || of.includes(server) || elapsedMs < sinceMs + ASK_ANOTHER_AFTER_MS) continue;
      of.push(server);
      return index;
    }
    return undefined;
  }

  /** It came, and holds. */
  arrived(index: number): void {
    this.#asked.delete(index);
    this.#unwritten.add(index);
  }

  /** It did not come from this server; where no other is asked, it is the next to be asked for. */
  failed(index: number, server: ServerId): void {
    const asked = this.#asked.get(index);
    if (asked === undefined) return;
    const place = asked.of.indexOf(server);
    if (place !== -1) asked.of.splice(place, 1);
    if (asked.of.length > 0) return;
    this.#asked.delete(index);
    this.#missing.unshift(index);
  }

  settled(index: number): void {
    this.#unwritten.delete(index);
    this.#kept.add(index);
  }
}
