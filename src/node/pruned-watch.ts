/**
 * Whether this node was away for so long that the blocks which it needs next are pruned at the others. One server's word
 * is nothing; of f + 1 one is correct. A node never throws its own data away for that: it says so, and what to do.
 */
import type { Refusal } from '../base/result.ts';
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { Logger } from '../observability/log.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';

export interface PrunedWatchOptions {
  /** Servers whose word is enough. */
  readonly enough: number;
  /** Told once, until there is progress. @param oldest the lowest height that one of them still has */
  readonly onPruned: (oldest: number) => void;
}

/** One of a node that follows these validators. */
export function prunedWatch({ f }: Pick<ValidatorSet, 'f'>, log: Pick<Logger, 'error'>): PrunedWatch {
  return new PrunedWatch({
    enough: f + 1,
    onPruned(oldest) {
      log.error({ refusal: { code: 'blocks-pruned', details: { oldest } } }, PRUNED_ADVICE);
    },
  });
}

export const PRUNED_ADVICE =
  'the blocks that this node needs next are pruned at the validators. Nothing of its own was touched: set its data ' +
  'directory aside and start with an empty one, or restore a snapshot with "hotledger snapshot restore"';

export class PrunedWatch {
  readonly #options: PrunedWatchOptions;
  readonly #oldestOf = new Map<ValidatorIndex, number>();

  constructor(options: PrunedWatchOptions) {
    this.#options = options;
  }

  /** A fetch from this server was refused. */
  refused(server: ValidatorIndex, { code, details }: Refusal): void {
    if (code !== 'blocks-pruned' || this.#oldestOf.has(server)) return;
    const { oldest } = details;
    this.#oldestOf.set(server, typeof oldest === 'number' ? oldest : 0);
    if (this.#oldestOf.size === this.#options.enough) this.#options.onPruned(this.oldest ?? 0);
  }

  /** A block came all the same. */
  progressed(): void {
    this.#oldestOf.clear();
  }

  /** The lowest height that is still to be had, as far as is known; null while nobody need worry. */
  get oldest(): number | null {
    if (this.#oldestOf.size < this.#options.enough) return null;
    return Math.min(...this.#oldestOf.values());
  }
}
