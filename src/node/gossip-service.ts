/**
 * Announcing and hearing committed blocks, for those who do not vote: validators have every block from each other before
 * it is committed, so a validator takes no part while no one else follows it. The proposer announces its block, with its
 * seal; the other validators do so a moment later, unless they have heard it by then. Everyone verifies a block before
 * passing it on. What was refused, or never came, is found by synchronisation.
 */
import type { CommittedBlock, VerifiedSealedBlock } from '../consensus/engine.ts';
import type { Refusal } from '../base/result.ts';
import { decodeSealedHeader, encodeSealedBlock, peekBlockId } from '../ledger/block.ts';
import type { GossipRules } from '../net/gossip-options.ts';
import { LedgerGossip, type Verdict } from '../net/gossip.ts';
import type { Host } from '../net/host.ts';
import type { NodeCore } from './core.ts';

/** Refusals that depend on what this node knows or how busy it is, and prove nothing against the sender. */
const NOT_THE_SENDERS_FAULT = new Set([
  ...['verification-busy', 'epoch-mismatch', 'block-version-unknown', 'schema-not-known'],
]);

/** The time that the others leave to a block's proposer: it may be followed by nobody, or silent. */
const ANNOUNCE_FOR_OTHERS_AFTER_MS = 200;
/** An older block was caught up with, and is no news. */
const NEWS_FOR_SECONDS = 60;

export function gossipRules(): GossipRules {
  return { messageId: peekBlockId };
}

export interface GossipServiceOptions {
  readonly core: Pick<NodeCore, 'admission' | 'context' | 'identity' | 'ledger' | 'log' | 'nowMs' | 'seat'>;
  readonly host: Host;
  /** Verified blocks, for the engine. */
  readonly onBlock: (block: VerifiedSealedBlock) => void;
  /** A message that does not hold: it may have been sent to keep the true one out, as both have the same id. */
  readonly onFalse: () => void;
}

export class GossipService {
  readonly #options: GossipServiceOptions;
  readonly #gossip: LedgerGossip;
  /** Verified a moment ago by the validator, and not yet handed over by `onMessage`. */
  readonly #verified = new WeakMap<Uint8Array, VerifiedSealedBlock>();
  readonly #announcements = new Set<NodeJS.Timeout>();
  /** Messages refused since the start. */
  refused = 0;

  constructor(options: GossipServiceOptions) {
    this.#options = options;
    const { core, host } = options;
    this.#gossip = new LedgerGossip({
      host,
      chainId: core.context.chainId,
      validate: (message, from) => this.#validate(message, from),
      onMessage: (message) => {
        const block = this.#verified.get(message);
        if (block !== undefined) options.onBlock(block);
      },
      onRefused: () => {
        this.refused += 1;
      },
    });
  }

  start(): void {
    this.#gossip.start();
  }

  stop(): void {
    for (const timer of this.#announcements) clearTimeout(timer);
    this.#announcements.clear();
    this.#gossip.stop();
  }

  subscribers(): number {
    return this.#gossip.subscribers().length;
  }

  committed(blocks: readonly CommittedBlock[]): void {
    const { identity, nowMs, seat } = this.#options.core;
    if (seat === null || !this.#isFollowed()) return;
    const isOwn = ({ block }: CommittedBlock): boolean => block.header.proposer === identity.peerId;
    for (const block of blocks.filter(isOwn)) this.#announce(block);
    const newsSinceSeconds = nowMs() / 1000 - NEWS_FOR_SECONDS;
    const others = blocks.filter((each) => !isOwn(each) && each.block.header.timestamp >= newsSinceSeconds);
    if (others.length > 0) this.#announceLater(others);
  }

  #announceLater(blocks: readonly CommittedBlock[]): void {
    const timer = setTimeout(() => {
      this.#announcements.delete(timer);
      for (const block of blocks) this.#announce(block);
    }, ANNOUNCE_FOR_OTHERS_AFTER_MS);
    this.#announcements.add(timer);
  }

  /** A block that was heard from somebody else by now goes to nobody. */
  #announce({ block, sealed }: CommittedBlock): void {
    this.#gossip.publish(encodeSealedBlock(sealed)).catch((error: unknown) => {
      this.#options.core.log.warn({ err: error, height: block.header.height }, 'a block could not be announced');
    });
  }

  /** Whether anybody who is no validator hears what this node says. */
  #isFollowed(): boolean {
    const { validators } = this.#options.core.context;
    return this.#gossip.subscribers().some((peerId) => validators.indexOf(peerId) === undefined);
  }

  async #validate(message: Uint8Array, from: string): Promise<Verdict> {
    const { admission, context, ledger, seat } = this.#options.core;
    const announced = decodeSealedHeader(context.chainId, message);
    if (!announced.ok) return this.#verdictOn(announced.refusal, from);
    const { id, seal } = announced.value;
    // A validator holds the block as a rule, since it voted for it: what is new is the seal.
    const isHeld = ledger.log.heightOf(id) !== undefined || ledger.log.uncommittedBytes(id) !== undefined;
    if (isHeld) {
      if (seat !== null && !this.#isFollowed()) return 'ignore';
      const checked = await admission.seal(seal, announced.value, 'bulk');
      return checked.ok ? 'accept' : this.#verdictOn(checked.refusal, from);
    }
    const block = await admission.sealedBlock(message, 'bulk');
    if (!block.ok) return this.#verdictOn(block.refusal, from);
    this.#verified.set(message, block.value);
    return 'accept';
  }

  #verdictOn(refusal: Refusal, from: string): Verdict {
    const verdict = NOT_THE_SENDERS_FAULT.has(refusal.code) ? 'ignore' : 'reject';
    this.#options.core.log.debug({ from, refusal, verdict }, 'gossip refused');
    this.#options.onFalse();
    return verdict;
  }
}
