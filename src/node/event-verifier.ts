/**
 * The check of event signatures, the cost that dominates all else (0.15 to 0.6 ms each): once a validator, at
 * admission, on libuv's thread pool, remembered.
 *
 * It is remembered by the hash of the whole event, signature included. The id leaves the signature out, so remembering
 * by id would let a Byzantine leader put a known event with a rubbish signature into a block that nobody can replay.
 */
import { LRUCache } from 'lru-cache';
import { assert } from '../base/assert.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { decodeSignedEvent, eventSigningBytes, type EventDecoder, type SignedEvent } from '../ledger/event.ts';
import type { EvidenceRecordedEvent } from '../ledger/event-schema.ts';
import type { Identity } from '../ledger/identity.ts';
import { verifiedEvent, type VerifiedEvent } from '../ledger/verified-event.ts';

export interface EventVerifierOptions {
  readonly chainId: string;
  /** The signature predicate, asynchronous and off the main thread. */
  readonly verifySignature: (identity: Identity, message: Uint8Array, signature: Uint8Array) => Promise<boolean>;
  /** Checks what an `evidenceRecorded` event carries; called for those only. */
  readonly checkEvidence: (event: EvidenceRecordedEvent) => Promise<Result<void>>;
  /** Checked events to remember. */
  readonly maxRemembered: number;
}

export class EventVerifier {
  readonly #options: EventVerifierOptions;
  readonly #remembered: LRUCache<Hash, VerifiedEvent>;
  readonly #underWay = new Map<Hash, Promise<Result<VerifiedEvent>>>();
  /** Signature checks done, for metrics and for the proof that each is done once. */
  checks = 0;

  constructor(options: EventVerifierOptions) {
    this.#options = options;
    this.#remembered = new LRUCache({ max: options.maxRemembered });
  }

  /** What was checked before is not decoded again. Refusals: those of `decodeSignedEvent`. */
  readonly decode: EventDecoder = (chainId, bytes) => {
    assert(chainId === this.#options.chainId, 'the events that are remembered are of this chain', { chainId });
    // Nobody submits to a follower: it need not hash what it cannot know.
    const known = this.#remembered.size === 0 ? undefined : this.#remembered.get(sha256Hex(bytes));
    return known === undefined ? decodeSignedEvent(chainId, bytes) : ok(known);
  };

  /** Refusals: `signature-invalid`, and those of evidence. */
  verify(event: SignedEvent): Promise<Result<VerifiedEvent>> {
    const digest = sha256Hex(event.bytes);
    const known = this.#remembered.get(digest);
    if (known !== undefined) return Promise.resolve(ok(known));
    const underWay = this.#underWay.get(digest);
    if (underWay !== undefined) return underWay;
    const check = this.#check(event, digest).finally(() => this.#underWay.delete(digest));
    this.#underWay.set(digest, check);
    return check;
  }

  /** These are committed: nobody proposes them again, and their memory is wanted for those to come. */
  forget(events: readonly SignedEvent[]): void {
    if (this.#remembered.size === 0) return;
    for (const { bytes } of events) this.#remembered.delete(sha256Hex(bytes));
  }

  /** All of them, or the first refusal. */
  async verifyAll(events: readonly SignedEvent[]): Promise<Result<readonly VerifiedEvent[]>> {
    const verified: VerifiedEvent[] = [];
    for (const result of await Promise.all(events.map((event) => this.verify(event)))) {
      if (!result.ok) return result;
      verified.push(result.value);
    }
    return ok(verified);
  }

  async #check(event: SignedEvent, digest: Hash): Promise<Result<VerifiedEvent>> {
    this.checks += 1;
    const message = eventSigningBytes(this.#options.chainId, event.json);
    if (!(await this.#options.verifySignature(event.identity, message, event.signature))) {
      return refuse('signature-invalid', 'the signature is not that of the event by its peer', {
        peerId: event.event.peerId,
        event: event.id,
      });
    }
    if (event.event.type === 'evidenceRecorded') {
      const evidence = await this.#options.checkEvidence(event.event);
      if (!evidence.ok) return evidence;
    }
    const verified = verifiedEvent(event, 'signature-checked');
    this.#remembered.set(digest, verified);
    return ok(verified);
  }
}
