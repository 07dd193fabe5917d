/** Between the links and the engine: what a leader sends is of this server's history, or it is answered here. */
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
  readonly write: (operations: readonly StoreOperation[]) => void;
  /** A leader is of another history. */
  readonly foreign: (from: ServerId, refusal: Refusal) => void;
}

export class HistoryGate {
  readonly #options: HistoryGateOptions;
  readonly #history: History;

  constructor(options: HistoryGateOptions) {
    const { facts, pinned, record, write } = options;
    this.#options = options;
    this.#history = new History(record, pinned, facts, (changed) => write([historyOp(changed)]));
  }

  get record(): HistoryRecord | null {
    return this.#history.record;
  }

  /** @returns whether the engine may have it; else it is answered */
  passes({ ask, from, isListed, request }: Extract<RaftInput, { kind: 'asked' }>): boolean {
    let verdict: Verdict;
    if (request.kind === 'appendEntries') verdict = this.#history.ofAppend(from, request);
    else if (request.kind === 'installSnapshot') verdict = this.#history.ofSnapshot(from, isListed, request);
    else return true;
    if (verdict.kind === 'pass') return true;
    const { asks, foreign } = this.#options;
    if (verdict.kind === 'answer') {
      asks.answer(ask, verdict.response);
    } else {
      asks.refuse(ask, verdict.refusal);
      foreign(from, verdict.refusal);
    }
    return false;
  }

  share(): void {
    this.#history.share();
  }

  restored(snapshot: SnapshotMeta): void {
    this.#history.restored(snapshot);
  }
}
