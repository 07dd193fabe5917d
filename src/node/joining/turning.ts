/**
 * When a node that runs turns to a snapshot by itself: it began at genesis because nobody answered, and somebody who has a
 * snapshot answers before it has any block; or f + 1 validators say that the blocks behind its ledger are pruned, and
 * nobody else gives them. Its ledger stays where it is until another can take its place (`ledger-swap.ts`).
 */
import { refuse, type Refusal } from '../../base/result.ts';
import type { SnapshotOffer } from '../../ledger/snapshot-offer.ts';
import type { PeerTarget } from '../../net/host.ts';
import type { SnapshotClient } from '../../net/snapshot-sync.ts';
import type { Logger } from '../../observability/log.ts';
import type { NodeConfig } from '../config.ts';
import { asked } from '../asked.ts';
import { ledgersSetAside } from './ledger-swap.ts';

export interface TurningOptions {
  readonly config: Pick<NodeConfig, 'dataDirectory' | 'join'>;
  readonly client: Pick<SnapshotClient, 'offer'>;
  /** Who is known now. */
  readonly servers: () => readonly PeerTarget[];
  readonly isPrunedAway: () => boolean;
  /** It began at genesis, since nobody answered. */
  readonly beganAlone: boolean;
  /** It has just turned, and came back to its ledger, as somebody said that it has the blocks. */
  readonly wasServed: boolean;
  /** Why its ledger stayed when it last turned; null where it did not. */
  readonly stays: Refusal | null;
  /** The node is to stop, and to begin again with a snapshot. Left out: it never does. */
  readonly onBehind: (() => void) | undefined;
  readonly log: Pick<Logger, 'error' | 'info' | 'warn'>;
}

/** Others than those that said so may have the blocks: they have this long to give one. */
const GRACE_MS = 5_000;
/** Whoever said that it has them gets longer. */
const GRACE_OF_SERVED_MS = 60_000;
/** By then there may be a snapshot that its ledger gives way to. */
const GRACE_OF_THE_STAYING_MS = 600_000;
const OFFER_DEADLINE_MS = 3_000;
/** Asked at once, of those that are known. */
const MAX_ASKED = 16;

export class Turning {
  readonly #options: TurningOptions;
  readonly #graceMs: number;
  #isAlone: boolean;
  #timer: NodeJS.Timeout | null = null;
  #refusal: Refusal | null;
  #isOver = false;

  constructor(options: TurningOptions, graceMs = graceOf(options)) {
    this.#options = options;
    this.#graceMs = graceMs;
    this.#isAlone = options.beganAlone;
    this.#refusal = options.stays;
  }

  /** Why it does not turn to a snapshot by itself; null: it does, or there is no need. */
  get refusal(): Refusal | null {
    return this.#refusal;
  }

  /** Enough validators said so. */
  prunedAway(): void {
    if (this.#timer !== null || this.#isOver) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#turnIfPruned();
    }, this.#graceMs).unref();
  }

  /** @returns false where the node is about to turn, and wants no block */
  async mayFetch(fromHeight: number): Promise<boolean> {
    if (!this.#isAlone || this.#isOver || fromHeight !== 1) return !this.#isOver;
    const offers = await this.#offers();
    if (offers.length === 0) return true;
    this.#isAlone = false;
    if (offers.every(({ snapshots }) => snapshots.length === 0) || (await this.#whyNot()) !== null) return true;
    this.#options.log.info('somebody answers and has a snapshot: begins with it, and not at genesis');
    this.#turn();
    return false;
  }

  stop(): void {
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #turnIfPruned(): Promise<void> {
    const { isPrunedAway, log } = this.#options;
    if (this.#isOver || !isPrunedAway()) return;
    const refusal = await this.#whyNot();
    if (refusal !== null) {
      this.#refusal = refusal;
      log.error({ code: 'blocks-pruned', refusal }, 'the blocks that this node needs next are pruned');
      return;
    }
    log.warn({ code: 'blocks-pruned' }, 'the blocks that this node needs next are pruned: it takes a snapshot instead');
    this.#turn();
  }

  #turn(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onBehind?.();
  }

  async #whyNot(): Promise<Refusal | null> {
    const { config, onBehind } = this.#options;
    if (onBehind === undefined || config.join.from === 'genesis') {
      return refuse('join-not-wanted', 'the node is not to begin with a snapshot').refusal;
    }
    const setAside = await ledgersSetAside(config.dataDirectory);
    if (setAside.length === 0) return null;
    return refuse('ledger-set-aside', 'an older ledger of this node is still set aside', { name: setAside.join(' ') })
      .refusal;
  }

  async #offers(): Promise<readonly SnapshotOffer[]> {
    const { client, servers } = this.#options;
    const offers = await Promise.all(
      servers()
        .slice(0, MAX_ASKED)
        .map((server) => asked(client.offer(server, { deadlineMs: OFFER_DEADLINE_MS }))),
    );
    return offers.flatMap((offer) => (offer.ok ? [offer.value] : []));
  }
}

function graceOf({ stays, wasServed }: TurningOptions): number {
  if (stays !== null) return GRACE_OF_THE_STAYING_MS;
  return wasServed ? GRACE_OF_SERVED_MS : GRACE_MS;
}
