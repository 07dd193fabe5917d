/** How long a joining node waits for an offer before it begins at genesis, which cannot be taken back. */
import type { Refusal } from '../base/result.ts';
import type { SnapshotOffer } from '../ledger/snapshot-offer.ts';

/** Of a node that has heard of a network with blocks: this is no network that begins. */
const OF_A_NETWORK_MS = 10_000;
/** Of a node that waits at all, where somebody seems to be there and has much to do. */
const OF_THE_BUSY_MS = 60_000;

/** What says that nobody is there to answer. */
const NOBODY = new Set(['dial-failed', 'address-invalid', 'wrong-peer', 'protocol-unsupported']);

export class JoinPatience {
  #ms: number;

  /** @param ms none of a validator that may be one of those that begin the network */
  constructor(ms: number) {
    this.#ms = ms;
  }

  get ms(): number {
    return this.#ms;
  }

  offered({ headHeight }: SnapshotOffer): void {
    if (headHeight > 0) this.#ms = Math.max(this.#ms, OF_A_NETWORK_MS);
  }

  failed({ code }: Refusal): void {
    if (this.#ms > 0 && !NOBODY.has(code)) this.#ms = Math.max(this.#ms, OF_THE_BUSY_MS);
  }
}
