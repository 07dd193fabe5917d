/**
 * What staking is in a devnet: for some nodes that joined, one validator proposes that they are staked and others
 * approve, as validators of a real network do. The devnet can, because it holds the validators' keys.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ZERO_HASH } from '../../base/hash.ts';
import type { WrittenEvent } from '../../ledger/event.ts';
import type { IdentityKey } from '../../node/keys.ts';
import { signEvent, type EventBody, type OwnSignedEvent } from '../../node/sign-event.ts';
import { quorumOf } from '../../qc/validator-set.ts';
import { submitUntilSettled, type Submit } from './settle.ts';

/** A decision costs as many events as a quorum has members. */
const DEFAULT_PAUSE_MS = 500;
const PROPOSAL_SECONDS = 600;

export interface StakeCounts {
  readonly proposed: number;
  /** Approved by a quorum, and committed, in this run. */
  readonly decided: number;
  readonly refusedBy: Readonly<Record<string, number>>;
}

export interface StakesOptions {
  readonly chainId: string;
  readonly validators: readonly IdentityKey[];
  /** Between two nodes. */
  readonly pauseMs?: number;
  /** To the validator at this position. */
  readonly submit: Submit;
}

export class Stakes {
  readonly #options: StakesOptions;
  readonly #waiting = new Set<string>();
  readonly #decided = new Set<string>();
  readonly #refusals = new Map<string, number>();
  readonly #lastSeq = new Map<string, number>();
  #proposed = 0;
  #decidedNow = 0;

  constructor(options: StakesOptions) {
    this.#options = options;
  }

  /** A node with a record that has never been staked. */
  offer(peerId: string): void {
    if (!this.#decided.has(peerId)) this.#waiting.add(peerId);
  }

  /** By an earlier run. */
  alreadyDecided(peerId: string): void {
    this.#decided.add(peerId);
  }

  /** Nodes that the ledger holds as staked. */
  decided(): readonly string[] {
    return [...this.#decided];
  }

  counts(): StakeCounts {
    return {
      proposed: this.#proposed,
      decided: this.#decidedNow,
      refusedBy: Object.fromEntries(this.#refusals),
    };
  }

  /** Until the signal aborts; a decision under way is left to the next start. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const [next] = this.#waiting;
      if (next !== undefined) {
        this.#waiting.delete(next);
        if (await this.#decide(next, signal)) {
          this.#decided.add(next);
          this.#decidedNow++;
        }
      }
      await delay(this.#options.pauseMs ?? DEFAULT_PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #decide(peerId: string, signal: AbortSignal): Promise<boolean> {
    const { validators } = this.#options;
    const proposer = this.#proposed++ % validators.length;
    const proposal = this.#signed(proposer, {
      type: 'proposed',
      action: { kind: 'stakeStatusChanged', peerId, isStaked: true, reference: 'devnet' },
      epoch: 0,
      // Nothing was attested of this node before.
      replaces: ZERO_HASH,
      expires: Math.floor(Date.now() / 1000) + PROPOSAL_SECONDS,
    });
    if (!(await this.#settled(proposer, proposal, signal))) return false;
    const approvers = Array.from(
      { length: quorumOf(validators.length) - 1 },
      (_, step) => (proposer + 1 + step) % validators.length,
    );
    // Through the validator that acknowledged the proposal: others may commit it a moment later.
    const approvals = approvers.map((validator) =>
      this.#settled(proposer, this.#signed(validator, { type: 'approved', proposal: proposal.id }), signal),
    );
    return (await Promise.all(approvals)).every((acknowledged) => acknowledged);
  }

  async #settled(to: number, event: OwnSignedEvent, signal: AbortSignal): Promise<boolean> {
    const outcome = await submitUntilSettled(() => this.#options.submit(to, event), signal);
    if (outcome?.kind === 'refused') {
      const { code } = outcome.refusal;
      this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
    }
    return outcome?.kind === 'acknowledged';
  }

  #signed(validator: number, body: EventBody): OwnSignedEvent {
    const key = this.#options.validators[validator] as IdentityKey;
    const nowMs = Date.now();
    const seq = Math.max((this.#lastSeq.get(key.peerId) ?? 0) + 1, nowMs);
    this.#lastSeq.set(key.peerId, seq);
    const event = { ...body, peerId: key.peerId, seq, time: Math.floor(nowMs / 1000) } as WrittenEvent;
    return signEvent(key, this.#options.chainId, event);
  }
}
