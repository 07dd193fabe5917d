/**
 * What is asked of others because a verified certificate proves that it exists: blocks by id, and committed blocks
 * from a height on. One request in flight for each, servers in rotation, asked again until it comes or is no longer
 * wanted: an answer that is lost costs one deadline, never the block.
 */
import type { FetchTarget, ValidatorIndex } from '../consensus/engine.ts';
import type { Turn } from './turn.ts';

export interface Want {
  /** Of the same thing, the same. */
  readonly key: string;
  readonly what: FetchTarget;
  /** The likeliest first; not empty. */
  readonly servers: readonly ValidatorIndex[];
}

interface Pursuit {
  /** Requests made so far; the next goes to the server after the last one. */
  attempts: number;
  /** Null between two requests. */
  request: number | null;
  /** Elapsed milliseconds: when to give up the request, or to make the next. */
  untilMs: number;
}

export class Fetcher {
  readonly #deadlineMs: number;
  readonly #pursuits = new Map<string, Pursuit>();
  #lastRequest = 0;

  /** @param deadlineMs how long one server may take; also the pause after all were asked in vain */
  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  /** Pursues exactly these from now on. */
  pursue(wants: readonly Want[], elapsedMs: number, turn: Turn): void {
    for (const key of this.#pursuits.keys()) if (!wants.some((want) => want.key === key)) this.#pursuits.delete(key);
    for (const want of wants) this.#pursueOne(want, elapsedMs, turn);
  }

  #pursueOne({ key, what, servers }: Want, elapsedMs: number, turn: Turn): void {
    const pursuit = this.#pursuits.get(key) ?? { attempts: 0, request: null, untilMs: elapsedMs };
    this.#pursuits.set(key, pursuit);
    if (elapsedMs < pursuit.untilMs || servers.length === 0) return;
    const server = servers[pursuit.attempts % servers.length] as ValidatorIndex;
    pursuit.attempts++;
    pursuit.request = ++this.#lastRequest;
    pursuit.untilMs = elapsedMs + this.#deadlineMs;
    turn.fetch(pursuit.request, what, [server]);
  }

  /**
   * A request came to its end. The next may go out at once, or after a pause when every server was asked in vain.
   *
   * @param helped the answer brought something: then there is no reason to pause
   */
  ended(request: number, helped: boolean, servers: number, elapsedMs: number): void {
    for (const pursuit of this.#pursuits.values()) {
      if (pursuit.request !== request) continue;
      pursuit.request = null;
      if (helped) pursuit.attempts--; // the same server again
      const allAsked = !helped && pursuit.attempts % Math.max(1, servers) === 0;
      pursuit.untilMs = allAsked ? elapsedMs + this.#deadlineMs : elapsedMs;
    }
  }

  /** The request in flight for this, or null. */
  requestOf(key: string): number | null {
    return this.#pursuits.get(key)?.request ?? null;
  }

  /** Requests for this that ended without help, or were not answered. */
  failuresOf(key: string): number {
    const pursuit = this.#pursuits.get(key);
    return pursuit === undefined ? 0 : pursuit.attempts - (pursuit.request === null ? 0 : 1);
  }

  /** When `pursue` has something to do next, elapsed milliseconds. */
  get nextMs(): number | undefined {
    let next: number | undefined;
    for (const { untilMs } of this.#pursuits.values()) next = Math.min(next ?? Infinity, untilMs);
    return next;
  }
}
