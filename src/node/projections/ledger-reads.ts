/** What a running node is asked about its own ledger, by an operator: its history, old heights, exports, rebuilds. */
import { toBase64 } from '../../base/base64.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import type { BlockLog } from '../../ledger/block-log.ts';
import { parsePeerId } from '../../ledger/identity.ts';
import type { LedgerMachine } from '../../ledger/machine.ts';
import { nodeKey } from '../../ledger/state.ts';
import type { PinnableStore } from '../../store/store.ts';
import { exportLines, type ExportQuery, type LedgerExport } from './export.ts';
import { historyReport, type HistoryQuery, type HistoryReport } from './history-report.ts';
import type { NodeProjections } from './node-projections.ts';
import { answerAt } from './past-states.ts';
import type { PastThread } from './past-thread.ts';
import { statisticsReport, type StatisticsQuery, type StatisticsReport } from './statistics-report.ts';

export interface LedgerOperations {
  /** Refusals: those of `historyReport`. @throws CodedError `projection-not-built` */
  history(query: HistoryQuery): Promise<Result<HistoryReport>>;
  /** @throws CodedError `projection-not-built` */
  statistics(query: StatisticsQuery): Promise<Result<StatisticsReport>>;
  /**
   * What proves a record at a height, for `verifyRead`, in base64.
   *
   * Refusals: those of `parsePeerId`, `height-not-served`, `blocks-pruned`, `busy`. @throws CodedError those of `PastThread.answer`
   */
  at(peerId: string, height: number): Promise<Result<{ readonly answer: string }>>;
  /** Refusals: `busy`. @throws CodedError those of `exportLines` */
  export(query: ExportQuery): Promise<Result<LedgerExport>>;
  /** Refusal: `projection-unknown`. @returns what is being rebuilt now, or will be next */
  rebuild(names: readonly string[]): Result<{ readonly projections: readonly string[] }>;
}

/** A ledger that has begun. */
export interface ReadableLedger {
  readonly store: PinnableStore;
  readonly log: BlockLog;
  readonly machine: Pick<LedgerMachine, 'oldestHeldHeight' | 'proveAt'>;
}

export interface LedgerReadsOptions {
  /** Null before BASE of a Raft cluster. */
  readonly ledger: () => ReadableLedger | null;
  readonly projections: () => NodeProjections | null;
  readonly past: PastThread;
  readonly nowMs: () => number;
}

/** Each keeps a view of the store, which grows meanwhile. */
const MAX_EXPORTS = 4;

export class LedgerReads implements LedgerOperations {
  readonly #options: LedgerReadsOptions;
  #exports = 0;

  constructor(options: LedgerReadsOptions) {
    this.#options = options;
  }

  async history(query: HistoryQuery): Promise<Result<HistoryReport>> {
    const projections = this.#options.projections();
    if (projections === null) return beforeBase();
    return historyReport((name, use) => projections.read(name, use), query);
  }

  async statistics(query: StatisticsQuery): Promise<Result<StatisticsReport>> {
    const projections = this.#options.projections();
    if (projections === null) return beforeBase();
    return ok(await statisticsReport((name, use) => projections.read(name, use), query));
  }

  async at(peerIdText: string, height: number): Promise<Result<{ readonly answer: string }>> {
    const ledger = this.#options.ledger();
    if (ledger === null) return beforeBase();
    const identity = parsePeerId(peerIdText);
    if (!identity.ok) return identity;
    const key = nodeKey(identity.value.peerId);
    const { log, machine } = ledger;
    // What is not durable yet may be taken back by a crash; of a block that was dropped nothing seals the state any more.
    const oldest = Math.max(machine.oldestHeldHeight, log.floor());
    const isRecent = height >= oldest && height <= log.head().height;
    const proven = isRecent ? machine.proveAt(height, key) : null;
    if (proven?.ok === true) return ok({ answer: toBase64(answerAt(log, height, proven.value)) });
    const answer = await this.#options.past.answer(height, key);
    return answer.ok ? ok({ answer: toBase64(answer.value) }) : answer;
  }

  async export(query: ExportQuery): Promise<Result<LedgerExport>> {
    const ledger = this.#options.ledger();
    if (ledger === null) return beforeBase();
    if (this.#exports >= MAX_EXPORTS) {
      return refuse('busy', 'too many exports are under way; try again later', { max: MAX_EXPORTS });
    }
    this.#exports++;
    try {
      const nowSeconds = Math.floor(this.#options.nowMs() / 1000);
      const exported = await exportLines(ledger.store.pin(), ledger.log.identity, query, nowSeconds);
      const close = async (): Promise<void> => {
        this.#exports--;
        await exported.close();
      };
      return ok({ ...exported, close });
    } catch (error) {
      this.#exports--;
      throw error;
    }
  }

  rebuild(names: readonly string[]): Result<{ readonly projections: readonly string[] }> {
    const projections = this.#options.projections();
    if (projections === null) return beforeBase();
    const requested = projections.request(names);
    return requested.ok ? ok({ projections: requested.value }) : requested;
  }
}

function beforeBase(): Result<never> {
  return refuse('before-base', 'this cluster has no blocks yet');
}
