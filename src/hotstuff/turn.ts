/**
 * The effects of one step, in the order that keeps law 1: what is durable comes before everything that is sent.
 *
 *     verify, fetch  ->  persist  ->  commit  ->  cast, send  ->  forward, rejected, refused, evidence
 *
 * Checks and fetches promise nothing to anybody and may start while the disk writes. The safety record is written in
 * the same batch as whatever follows from it: when it changed and anything is sent or committed, it goes first.
 */
import type {
  CommittedBlock,
  Effect,
  FetchTarget,
  Recipients,
  StoredBlock,
  ValidatorIndex,
} from '../consensus/engine.ts';
import type { Hash } from '../base/hash.ts';
import type { Refusal } from '../base/result.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import type { CollectJob } from '../qc/collect.ts';
import type { HotstuffMessage } from './messages.ts';
import type { Ballot, SafetyRules } from './safety-rules.ts';

type HotstuffEffect = Effect<HotstuffMessage, CollectJob>;

export class Turn {
  readonly #early: HotstuffEffect[] = [];
  readonly #outgoing: HotstuffEffect[] = [];
  readonly #late: HotstuffEffect[] = [];
  readonly #blocks: StoredBlock[] = [];
  readonly #commits: CommittedBlock[] = [];
  readonly #forgotten: Hash[] = [];

  verify(job: number, work: CollectJob): void {
    this.#early.push({ kind: 'verify', job, work });
  }

  fetch(request: number, what: FetchTarget, from: readonly ValidatorIndex[]): void {
    this.#early.push({ kind: 'fetch', request, what, from });
  }

  persist(block: StoredBlock): void {
    this.#blocks.push(block);
  }

  commit(block: CommittedBlock): void {
    this.#commits.push(block);
  }

  forget(id: Hash): void {
    this.#forgotten.push(id);
  }

  cast({ signWith, preimage, message }: Ballot, to: Recipients): void {
    if (isNobody(to)) return;
    this.#outgoing.push({ kind: 'cast', signWith, preimage, message, to });
  }

  send(message: HotstuffMessage, to: Recipients): void {
    if (isNobody(to)) return;
    this.#outgoing.push({ kind: 'send', message, to });
  }

  forward(events: readonly VerifiedEvent[]): void {
    if (events.length > 0) this.#late.push({ kind: 'forward', events });
  }

  reject(event: Hash, refusal: Refusal): void {
    this.#late.push({ kind: 'rejected', event, refusal });
  }

  refuse(from: ValidatorIndex | null, refusal: Refusal): void {
    this.#late.push({ kind: 'refused', from, refusal });
  }

  evidence(offender: ValidatorIndex, epoch: number, bytes: Uint8Array): void {
    this.#late.push({ kind: 'evidence', offender, epoch, bytes });
  }

  /** Nothing was asked for but checks and fetches. */
  get #isEmpty(): boolean {
    return this.#outgoing.length === 0 && this.#commits.length === 0 && this.#late.length === 0;
  }

  /** Ends the turn. */
  effects(rules: SafetyRules): readonly HotstuffEffect[] {
    if (this.#isEmpty) return this.#early;
    const durable: HotstuffEffect[] = [];
    if (this.#outgoing.length > 0 || this.#commits.length > 0) {
      const safety = rules.takeUnwritten();
      if (safety !== undefined) durable.push({ kind: 'persist', safety, blocks: this.#blocks });
    }
    if (this.#commits.length > 0) durable.push({ kind: 'commit', blocks: this.#commits, forgotten: this.#forgotten });
    return [...this.#early, ...durable, ...this.#outgoing, ...this.#late];
  }
}

function isNobody(to: Recipients): boolean {
  return to !== 'all' && to.length === 0;
}
