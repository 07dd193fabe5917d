/**
 * The way of events between validators: what one of them admitted goes at once into its own mempool and to all others;
 * each of those checks it too, once, before it enters theirs. So whoever leads next has it.
 */
import { ok, type Refusal, type Result } from '../base/result.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import type { EventVerifier } from './event-verifier.ts';
import { allInParts } from './in-parts.ts';
import { eventFrames } from './peer-frame.ts';
import { busy } from './submissions.ts';

export interface EventRelayOptions {
  readonly chainId: string;
  readonly verifier: Pick<EventVerifier, 'decode' | 'verify'>;
  /** Hands events to the engine. @returns false when it has no room */
  readonly submit: (events: readonly VerifiedEvent[]) => boolean;
  /** Sends a frame to every validator that is connected. */
  readonly broadcast: (frame: Uint8Array) => void;
  /** An event that `admit` took, and that the engine had no room for. */
  readonly onRejected: (event: VerifiedEvent, refusal: Refusal) => void;
  readonly onRefused: (peerId: string, refusal: Refusal) => void;
}

/** Events of one validator that may be under check at once; more are dropped, as the network may drop them. */
const MAX_UNDER_CHECK_PER_PEER = 4096;
/** Admitted in one tick; beyond it, more come in than can be handed on. */
const MAX_ADMITTED = 16_384;
/** Decoding one event costs about 50 us. */
const DECODED_IN_ONE_GO = 32;

export class EventRelay {
  readonly #options: EventRelayOptions;
  readonly #underCheck = new Map<string, number>();
  #admitted: VerifiedEvent[] = [];

  constructor(options: EventRelayOptions) {
    this.#options = options;
  }

  /** This node's own submitters. All that is admitted in one tick goes on together. Refusal: `busy`. */
  admit(event: VerifiedEvent): Result<void> {
    if (this.#admitted.length >= MAX_ADMITTED) return busy(this.#admitted.length);
    this.#admitted.push(event);
    if (this.#admitted.length === 1) setImmediate(this.#handOn);
    return ok(undefined);
  }

  /** Sends events that the others may have missed. */
  forward(events: readonly VerifiedEvent[]): void {
    for (const frame of eventFrames(events.map(({ bytes }) => bytes))) this.#options.broadcast(frame);
  }

  /** Another validator's events. @returns once they are checked, and the engine has those that are good */
  async receive(peerId: string, encoded: readonly Uint8Array[]): Promise<void> {
    const share = this.#underCheck.get(peerId) ?? 0;
    if (share + encoded.length > MAX_UNDER_CHECK_PER_PEER) return;
    this.#underCheck.set(peerId, share + encoded.length);
    try {
      const checked = await allInParts(encoded, DECODED_IN_ONE_GO, (bytes) => this.#check(peerId, bytes));
      const verified = checked.filter((event) => event !== undefined);
      if (verified.length > 0) this.#options.submit(verified);
    } finally {
      this.#underCheck.set(peerId, (this.#underCheck.get(peerId) as number) - encoded.length);
    }
  }

  readonly #handOn = (): void => {
    const events = this.#admitted;
    this.#admitted = [];
    if (!this.#options.submit(events)) {
      const { refusal } = busy(events.length);
      for (const event of events) this.#options.onRejected(event, refusal);
      return;
    }
    this.forward(events);
  };

  async #check(peerId: string, bytes: Uint8Array): Promise<VerifiedEvent | undefined> {
    const decoded = this.#options.verifier.decode(this.#options.chainId, bytes);
    const verified = decoded.ok ? await this.#options.verifier.verify(decoded.value) : decoded;
    if (verified.ok) return verified.value;
    this.#options.onRefused(peerId, verified.refusal);
    return undefined;
  }
}
