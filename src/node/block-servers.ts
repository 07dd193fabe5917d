/**
 * Whom a node that is behind asks for committed blocks: validators, and every other node that it knows, in turn. A block is
 * verified whoever gave it, so it matters only who has it and who is quick to say so.
 */
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { PeerTarget } from '../net/host.ts';

export interface BlockServer extends PeerTarget {
  /** Null of a node that does not vote. */
  readonly validator: ValidatorIndex | null;
}

/** Of servers that fail again and again none is asked before another. */
const MAX_FAILURES = 3;
/** Behind all that did not lie. */
const OF_LIARS = 1_000;
/** Servers that are remembered; beyond, all of it is forgotten. */
const MAX_REMEMBERED = 256;

export class BlockServers {
  readonly #known: () => readonly BlockServer[];
  readonly #failures = new Map<string, number>();
  #turn = 0;

  /** @param known those that may be asked now */
  constructor(known: () => readonly BlockServer[]) {
    this.#known = known;
  }

  /** At most so many, those that did well first; each call begins with another of them. */
  next(count: number): readonly BlockServer[] {
    const known = this.#known();
    const first = this.#turn++ % Math.max(1, known.length);
    const inTurn = [...known.slice(first), ...known.slice(0, first)];
    return inTurn.toSorted((a, b) => this.#rank(a) - this.#rank(b)).slice(0, count);
  }

  served({ peerId }: BlockServer): void {
    if (this.#rank({ peerId }) < OF_LIARS) this.#failures.delete(peerId);
  }

  failed({ peerId }: BlockServer): void {
    const failures = this.#rank({ peerId });
    if (failures < MAX_FAILURES) this.#remember(peerId, failures + 1);
  }

  /** It sent what is false. */
  lied({ peerId }: BlockServer): void {
    this.#remember(peerId, OF_LIARS);
  }

  #rank({ peerId }: Pick<BlockServer, 'peerId'>): number {
    return this.#failures.get(peerId) ?? 0;
  }

  #remember(peerId: string, failures: number): void {
    if (this.#failures.size >= MAX_REMEMBERED && !this.#failures.has(peerId)) this.#failures.clear();
    this.#failures.set(peerId, failures);
  }
}
