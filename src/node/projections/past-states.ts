/**
 * A record as it was at any height that the log goes back to, with its proof in the root of that height's block. The log
 * is executed again up to there, each root checked on the way; what was executed stays, so that the next question about
 * a height not far below, or above, costs only the blocks between.
 *
 * The state is in memory: as large as it was at that height, about 600 bytes a node.
 */
import { setImmediate } from 'node:timers/promises';
import { assert } from '../../base/assert.ts';
import { codedError, ok, refuse, unwrap, type Result } from '../../base/result.ts';
import type { BlockLog } from '../../ledger/block-log.ts';
import type { ProvenValue } from '../../ledger/committed-state.ts';
import type { GenesisState } from '../../ledger/genesis-state.ts';
import { BLOCK_RANGE, fromBigEndian } from '../../ledger/layout.ts';
import { Replay, type ReplayOptions } from '../../ledger/replay.ts';
import { encodeReadAnswer } from '../../ledger/verified-read.ts';
import type { Store } from '../../store/store.ts';

export interface PastStatesOptions {
  readonly store: Pick<Store, 'entries'>;
  readonly log: BlockLog;
  /** A block at this height or below to execute from, and the whole state at it; the nearest where it can be chosen. */
  readonly first: (height: number) => Promise<GenesisState>;
  readonly validatorsOf: ReplayOptions['validatorsOf'];
}

/** Events between two looks at what else there is to do: about 20 ms. */
const EVENTS_PER_SLICE = 500;

export class PastStates {
  readonly #options: PastStatesOptions;
  #replay: Replay | null = null;
  /** One question after another: they share what was executed. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: PastStatesOptions) {
    this.#options = options;
  }

  /**
   * For `verifyRead`.
   *
   * Refusals: `height-not-served`, `blocks-pruned`.
   *
   * @throws CodedError of a log that does not execute to the roots in its headers
   */
  answer(height: number, key: string): Promise<Result<Uint8Array>> {
    const answered = this.#turn.then(() => this.#answer(height, key));
    this.#turn = answered.catch(() => undefined);
    return answered;
  }

  async #answer(height: number, key: string): Promise<Result<Uint8Array>> {
    const { log, store } = this.#options;
    const served = checkServed(height, await heightsOf(store, log));
    if (!served.ok) return served;
    const replay = await this.#at(height);
    const proven = replay.proveAt(height, key);
    return proven.ok ? ok(answerAt(log, height, proven.value)) : proven;
  }

  async #at(height: number): Promise<Replay> {
    const { first, log, validatorsOf } = this.#options;
    if (this.#replay === null || !this.#replay.holds(height)) {
      this.#replay = null;
      const genesis = await first(height);
      const from = genesis.block.header.height;
      if (height < from) {
        throw codedError(
          'blocks-pruned',
          'the blocks and snapshots below were dropped: there is no state to begin from',
          {
            fromHeight: height,
            oldest: from,
            head: log.head().height,
          },
        );
      }
      this.#replay = new Replay({ genesis, validatorsOf });
    }
    const replay = this.#replay;
    try {
      for (let events = 0; replay.head.height < height;) {
        const next = replay.head.height + 1;
        const sealed = log.sealedBlockAt(next);
        if (sealed === undefined)
          throw codedError('store-corrupt', 'a block is missing from the log', { height: next });
        events += 1 + unwrap(replay.step(sealed)).block.events.length;
        if (events < EVENTS_PER_SLICE) continue;
        events = 0;
        await setImmediate();
      }
    } catch (error) {
      this.#replay = null;
      throw error;
    }
    return replay;
  }
}

export interface ServedHeights {
  readonly from: number;
  readonly to: number;
}

/** Of the blocks in the log. */
export async function heightsOf(store: Pick<Store, 'entries'>, log: BlockLog): Promise<ServedHeights> {
  const to = log.head().height;
  for await (const [key] of store.entries({ ...BLOCK_RANGE, limit: 1 }))
    return { from: fromBigEndian(key.subarray(1)), to };
  return { from: to, to };
}

/** Refusals: `height-not-served`, with the heights that are; `blocks-pruned` below them. */
export function checkServed(height: number, { from, to }: ServedHeights): Result<void> {
  if (height >= from && height <= to) return ok(undefined);
  if (height < from && height >= 0) {
    const details = { fromHeight: height, oldest: from, head: to };
    return refuse('blocks-pruned', `this node no longer has blocks below height ${from}`, details);
  }
  return refuse('height-not-served', `this node can serve the heights ${from} to ${to}`, { height, from, to });
}

/** What a reader verifies: the value, its proof, and what seals the block of that height. */
export function answerAt(log: BlockLog, height: number, { proof, value }: ProvenValue): Uint8Array {
  const sealed = log.sealedBlockAt(height);
  assert(sealed !== undefined, 'the block of a proven state is in the log', { height });
  const { block, seal } = sealed;
  const { headerBytes: header } = block;
  return encodeReadAnswer({ value: value ?? null, proof, header, seal, epochProofs: [], headStatements: [] });
}
