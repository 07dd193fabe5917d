/**
 * The ledger of a data directory whose node does not run, asked as a running node is. Nothing in it is changed.
 */
import { CodedError, codedError, ok, unwrap, type Result } from '../../base/result.ts';
import { BlockLog, readIdentity } from '../../ledger/block-log.ts';
import { parsePeerId } from '../../ledger/identity.ts';
import { HEAD_KEY } from '../../ledger/layout.ts';
import { nodeKey } from '../../ledger/state.ts';
import { CATALOG } from '../../projections/catalog.ts';
import { readPointer, Rows } from '../../projections/rows.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';
import { makeValidatorSet } from '../../qc/validator-set.ts';
import type { LevelStore } from '../../store/level-store.ts';
import type { NodeConfig } from '../config.ts';
import { readGenesisFile } from '../genesis-file.ts';
import { openStore } from '../open-store.ts';
import { exportLines, type ExportQuery, type LedgerExport } from './export.ts';
import { stateBefore } from './first-state.ts';
import { historyReport, type HistoryQuery, type HistoryReport, type ReadProjection } from './history-report.ts';
import { statisticsReport, type StatisticsQuery, type StatisticsReport } from './statistics-report.ts';
import { PastStates } from './past-states.ts';

export class StoppedLedger {
  readonly #store: LevelStore;
  readonly #log: BlockLog;
  readonly #genesisFile: string;
  readonly #dataDirectory: string;

  private constructor(store: LevelStore, log: BlockLog, genesisFile: string, dataDirectory: string) {
    this.#store = store;
    this.#log = log;
    this.#genesisFile = genesisFile;
    this.#dataDirectory = dataDirectory;
  }

  /** @throws CodedError of `openStore` (`store-locked` while the node runs) and `readIdentity`; `before-base` */
  static async open({ dataDirectory, genesis }: Pick<NodeConfig, 'dataDirectory' | 'genesis'>): Promise<StoppedLedger> {
    const store = await openStore(dataDirectory, {});
    try {
      const log = BlockLog.over(store, await readIdentity(store));
      if (store.get(HEAD_KEY) === undefined) throw codedError('before-base', 'this cluster has no blocks yet');
      return new StoppedLedger(store, log, genesis, dataDirectory);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  history(query: HistoryQuery): Promise<Result<HistoryReport>> {
    return historyReport(this.#read, query);
  }

  statistics(query: StatisticsQuery): Promise<StatisticsReport> {
    return statisticsReport(this.#read, query);
  }

  /** What proves a record at a height, for `verifyRead`. Refusals: those of `parsePeerId` and `PastStates.answer`. */
  async at(peerId: string, height: number): Promise<Result<Uint8Array>> {
    const identity = parsePeerId(peerId);
    if (!identity.ok) return identity;
    const genesis = await readGenesisFile(this.#genesisFile);
    const { scheme } = await loadDefaultScheme();
    const validators = unwrap(makeValidatorSet(0, genesis.validators, scheme));
    const [store, log] = [this.#store, this.#log];
    const dataDirectory = this.#dataDirectory;
    const first = (from: number) => stateBefore({ store, log, genesis, dataDirectory }, from);
    const states = new PastStates({ store, log, first, validatorsOf: () => validators });
    return states.answer(height, nodeKey(identity.value.peerId));
  }

  async export(query: ExportQuery): Promise<Result<LedgerExport>> {
    const nowSeconds = Math.floor(Date.now() / 1000);
    try {
      return ok(await exportLines(this.#store.pin(), this.#log.identity, query, nowSeconds));
    } catch (error) {
      if (error instanceof CodedError) return { ok: false, refusal: error };
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  readonly #read: ReadProjection = (name, use) => {
    const pointer = readPointer(this.#store, name);
    const version = CATALOG.find((projection) => projection.name === name)?.version;
    if (pointer === undefined || pointer.version !== version) {
      throw codedError(
        'projection-not-built',
        'the directory has no rows of this projection that this program can read',
        {
          name,
        },
      );
    }
    const rows = new Rows(this.#store, name, pointer.generation);
    return use(rows, rows.cursor());
  };
}
