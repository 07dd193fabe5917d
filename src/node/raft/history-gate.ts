/**
 * Between the links and the engine: what a leader sends is of this server's history, or it is answered here.
 *
 * A server that another history has shown itself to, while nothing showed its own, obeys nobody and stands for no election:
 * the servers that it would ask for votes may be of the other one by now, and would make it their leader. That is over as
 * soon as it leads, or is led by one that shows its own history; and where it was so a moment ago, it does not begin. That
 * the other one is silent ends nothing: without their leader its servers are the readier to vote.
 */
import type { Hash } from '../../base/hash.ts';
import type { Refusal } from '../../base/result.ts';
import type { RaftInput, SnapshotMeta } from '../../raft/contract.ts';
import { History, type HistoryFacts, type Verdict } from '../../raft/history.ts';
import type { ServerId } from '../../raft/messages.ts';
import type { HistoryRecord } from '../../raft/stored-records.ts';
import type { StoreOperation } from '../../store/store.ts';
import type { Asks } from './asks.ts';
import { historyOp } from './log-store.ts';

export interface HistoryGateOptions {
  readonly record: HistoryRecord | null;
  /** The history that the operator says this server is of. */
  readonly pinned: Hash | null;
  readonly facts: HistoryFacts;
  readonly asks: Asks;
  readonly nowMs: () => number;
  /** After it led, or was led, this server counts as among its own for so long; and so long one that is alone tells of others. */
  readonly recentMs: number;
  readonly leads: () => boolean;
  /** No other server has a vote. */
  readonly isAlone: () => boolean;
  readonly write: (operations: readonly StoreOperation[]) => void;
  /** A leader is of another history. */
  readonly refused: (from: ServerId, refusal: Refusal) => void;
  /** From now on no leader is obeyed; or, with null, leaders are again. */
  readonly foreign: (refusal: Refusal | null) => void;
}

export class HistoryGate {
  readonly #options: HistoryGateOptions;
  readonly #history: History;
  /** No leader is obeyed. */
  #foreign: Refusal | null = null;
  /** The last that was refused for its history, and when. */
  #refused: { readonly refusal: Refusal; readonly atMs: number } | null = null;
  /** When this server last led, or heard a leader that had shown this history. */
  #amongOwnAtMs = -Infinity;

  constructor(options: HistoryGateOptions) {
    const { facts, pinned, record, write } = options;
    this.#options = options;
    this.#history = new History(record, pinned, facts, (changed) => write([historyOp(changed)]));
  }

  get record(): HistoryRecord | null {
    return this.#history.record;
  }

  /** Why this server obeys nobody; or, where it is alone and was to join others, why it does not. */
  get foreign(): Refusal | null {
    const { isAlone } = this.#options;
    if (this.#foreign !== null) return this.#foreign;
    return this.#refused !== null && this.#isRecent(this.#refused.atMs) && isAlone() ? this.#refused.refusal : null;
  }

  /** @returns whether the engine may have it; else it is answered */
  passes({ ask, from, isListed, request }: Extract<RaftInput, { kind: 'asked' }>): boolean {
    let verdict: Verdict;
    if (request.kind === 'appendEntries') verdict = this.#history.ofAppend(from, request);
    else if (request.kind === 'installSnapshot') verdict = this.#history.ofSnapshot(from, isListed, request);
    else return true;
    if (verdict.kind === 'pass') {
      if (this.#history.isShownBy(from)) this.#isAmongOwn();
      return true;
    }
    const { asks } = this.#options;
    if (verdict.kind === 'answer') {
      asks.answer(ask, verdict.response);
    } else {
      asks.refuse(ask, verdict.refusal);
      this.#foundForeign(from, verdict.refusal);
    }
    return false;
  }

  /** The engine has refused a leader, for what it says of the logs. */
  refused(refusal: Refusal): void {
    if (refusal.code === 'raft-conflict-below-commit') this.#foreign = refusal;
    else if (refusal.code === 'raft-foreign-history') this.#refused = { refusal, atMs: this.#options.nowMs() };
  }

  /** This server has come to lead, or leads no longer. */
  led(): void {
    this.#isAmongOwn();
  }

  share(): void {
    this.#history.share();
  }

  restored(snapshot: SnapshotMeta): void {
    this.#history.restored(snapshot);
  }

  #foundForeign(from: ServerId, refusal: Refusal): void {
    const { foreign, leads, refused } = this.#options;
    refused(from, refusal);
    if (leads() || this.#isRecent(this.#amongOwnAtMs) || this.#foreign !== null) return;
    this.#foreign = refusal;
    foreign(refusal);
  }

  #isAmongOwn(): void {
    this.#amongOwnAtMs = this.#options.nowMs();
    if (this.#foreign?.code !== 'raft-foreign-history') return;
    this.#foreign = null;
    this.#options.foreign(null);
  }

  #isRecent(atMs: number): boolean {
    return this.#options.nowMs() - atMs < this.#options.recentMs;
  }
}
