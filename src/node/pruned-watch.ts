/**
 * Whether this node was away for so long that the blocks which it needs next are pruned at the others. One server's word
 * is nothing; of f + 1 one is correct. What follows from it is decided elsewhere (`joining/turning.ts`).
 */
import type { Refusal } from '../base/result.ts';
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';

export interface PrunedWatchOptions {
  /** Servers whose word is enough. */
  readonly enough: number;
  /** Told once, until there is progress. */
  readonly onPruned: () => void;
}

/** One of a node that follows these validators. */
export function prunedWatch({ f }: Pick<ValidatorSet, 'f'>, onPruned: () => void): PrunedWatch {
  return new PrunedWatch({ enough: f + 1, onPruned });
}

/** Of a node that does nothing about it by itself. */
export const PRUNED_ADVICE =
  'the blocks that this node needs next are pruned at the validators. Nothing of its own was touched: set its data ' +
  'directory aside and start with an empty one, or restore a snapshot with "hotledger snapshot restore"';

export class PrunedWatch {
  readonly #options: PrunedWatchOptions;
  readonly #saidBy = new Set<ValidatorIndex>();

  constructor(options: PrunedWatchOptions) {
    this.#options = options;
  }

  /** A fetch from this server was refused. */
  refused(server: ValidatorIndex, { code }: Refusal): void {
    if (code !== 'blocks-pruned' || this.#saidBy.has(server)) return;
    this.#saidBy.add(server);
    if (this.#saidBy.size === this.#options.enough) this.#options.onPruned();
  }

  /** A block came all the same. */
  progressed(): void {
    this.#saidBy.clear();
  }

  get isPruned(): boolean {
    return this.#saidBy.size >= this.#options.enough;
  }
}
