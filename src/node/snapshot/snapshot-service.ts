/**
 * The snapshots of a running node: one at every so many blocks and whenever somebody asks, the newest kept, and behind
 * them the blocks dropped that the policy does not want. One piece of this work at a time, beside consensus.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError, codedError } from '../../base/result.ts';
import type { Logger } from '../../observability/log.ts';
import type { PinnableStore } from '../../store/store.ts';
import type { NodeConfig } from '../config.ts';
import { ledgerDirectory, type OpenLedger } from '../open-ledger.ts';
import type { HeldHeight } from '../projections/node-projections.ts';
import { makeSnapshot } from './make-snapshot.ts';
import { prune, prunedTo, type PruningPolicy } from './pruning.ts';
import { SnapshotFolder } from './snapshot-folder.ts';
import type { WrittenSnapshot } from './snapshot-writer.ts';
import { exists } from './stopped-ledger.ts';

export interface SnapshotServiceOptions {
  readonly config: Pick<NodeConfig, 'dataDirectory' | 'pruning' | 'snapshots'>;
  readonly ledger: OpenLedger<PinnableStore>;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly projected: () => HeldHeight;
}

/** Between two batches of pruning: a commit of a busy ledger gets in between. */
const PRUNING_PAUSE_MS = 20;

export class SnapshotService {
  readonly folder: SnapshotFolder;
  readonly #options: SnapshotServiceOptions;
  readonly #stop = new AbortController();
  readonly #policy: PruningPolicy;
  #work: Promise<unknown> | null = null;
  /** Of the newest snapshot; null where there is none. */
  #newest: number | null = null;
  /** Blocks below it are to go once the projections no longer want them; null: none are. */
  #owed: number | null = null;

  constructor(options: SnapshotServiceOptions) {
    this.#options = options;
    this.folder = SnapshotFolder.of(options.config.dataDirectory);
    this.#policy = policyOf(options.config.pruning);
  }

  /** Clears away what a crash left. What it kept from being dropped goes with the first commits. */
  async start(): Promise<void> {
    await this.folder.tidy();
    await this.#keepNewest();
    this.#owed = this.#wantedFloor(this.#newest);
  }

  /** What blocks that the policy does not want are still kept for; null where nothing keeps them. */
  pruningWaitsFor(): string | null {
    if (this.#policy.kind === 'all') return null;
    if (this.#newest === null) {
      const wanted = this.#wantedFloor(this.#options.ledger.log.head().height);
      return wanted === null ? null : 'there is no snapshot to drop blocks behind';
    }
    const { height, waitsFor } = this.#options.projected();
    return this.#owed !== null && height < this.#owed ? waitsFor : null;
  }

  /** Blocks up to this height became durable. Returns at once. */
  committed(fromHeight: number, toHeight: number): void {
    const { everyBlocks } = this.#options.config.snapshots;
    if (this.#work !== null) return;
    const due = everyBlocks === 0 ? 0 : toHeight - (toHeight % everyBlocks);
    if (due < fromHeight || due === 0) return this.#dropOwed();
    this.#begin(due).catch((error: unknown) => {
      if (error instanceof CodedError && error.code === 'snapshot-stopped') return;
      this.#options.log.error(
        { err: error, height: due },
        'the snapshot was not made; the next is made when it is due',
      );
    });
  }

  /**
   * At the last durable block.
   *
   * @throws CodedError `snapshot-busy`: one is being made; `snapshot-exists`, and those of `makeSnapshot`
   */
  async create(): Promise<WrittenSnapshot> {
    if (this.#work !== null) throw codedError('snapshot-busy', 'a snapshot is being made, or blocks are being dropped');
    return this.#begin(this.#options.ledger.log.head().height);
  }

  /** Resolves when nothing is under way, whatever came of it. */
  async idle(): Promise<void> {
    await this.#work;
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.idle();
  }

  #begin(height: number): Promise<WrittenSnapshot> {
    const made = this.#make(height);
    this.#track(made.then(() => this.#tidyUp()));
    return made;
  }

  /** Projections that were in the way when the last snapshot was made may be through. */
  #dropOwed(): void {
    if (this.#owed !== null && this.#options.projected().height >= this.#owed) this.#track(this.#tidyUp());
  }

  #track(work: Promise<void>): void {
    this.#work = work
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) this.#options.log.warn({ err: error }, 'a snapshot or what follows it failed');
      })
      .finally(() => {
        this.#work = null;
      });
  }

  async #make(height: number): Promise<WrittenSnapshot> {
    const { machine } = this.#options.ledger;
    // Until the thread has pinned the store, which may take a busy machine as long as many blocks.
    machine.keepFrom(height);
    try {
      return await this.#makeKept(height);
    } finally {
      machine.keepFrom(null);
    }
  }

  async #makeKept(height: number): Promise<WrittenSnapshot> {
    const { config, ledger, log } = this.#options;
    if ((await this.folder.heights()).includes(height)) throw exists(height);
    const startedMs = performance.now();
    const written = await makeSnapshot({
      ledger: ledgerDirectory(config.dataDirectory),
      chainId: ledger.log.chainId,
      height,
      folder: this.folder,
      stepsAside: true,
      changedSince: (since) => {
        ledger.machine.keepFrom(null);
        return ledger.machine.changedSince(since);
      },
      onProgress: ({ entries, phase }) => log.debug({ height, entries, phase }, 'making a snapshot'),
      signal: this.#stop.signal,
    });
    log.info({ ...written, seconds: (performance.now() - startedMs) / 1000 }, 'a snapshot was made');
    return written;
  }

  async #tidyUp(): Promise<void> {
    const { ledger, log, nowMs, projected } = this.#options;
    await this.#keepNewest();
    this.#owed = this.#wantedFloor(this.#newest);
    if (this.#owed === null || this.#newest === null) return;
    const dropped = await prune({
      store: ledger.store,
      log: ledger.log,
      policy: this.#policy,
      snapshotHeight: this.#newest,
      projectedHeight: () => projected().height,
      nowSeconds: nowMs() / 1000,
      pause: () => sleep(PRUNING_PAUSE_MS, undefined, { signal: this.#stop.signal }),
    });
    if (dropped > 0) log.info({ dropped, oldestBlock: ledger.log.floor() }, 'old blocks were dropped');
    if (ledger.log.floor() >= this.#owed) this.#owed = null;
    else log.warn({ oldestBlock: ledger.log.floor(), wanted: this.#owed }, `old blocks stay: ${projected().waitsFor}`);
  }

  async #keepNewest(): Promise<void> {
    await this.folder.keepNewest(this.#options.config.snapshots.keep);
    this.#newest = (await this.folder.heights())[0] ?? null;
  }

  /** Where the log is to begin, projections apart; null where it begins there or above already. */
  #wantedFloor(snapshotHeight: number | null): number | null {
    if (snapshotHeight === null) return null;
    const { log } = this.#options.ledger;
    const nowSeconds = this.#options.nowMs() / 1000;
    const wanted = prunedTo({ log, policy: this.#policy, snapshotHeight, nowSeconds });
    return wanted > log.floor() ? wanted : null;
  }
}

function policyOf({ keepBlocks, keepForSeconds, policy }: NodeConfig['pruning']): PruningPolicy {
  switch (policy) {
    case 'all':
      return { kind: 'all' };
    case 'keepBlocks':
      return { kind: policy, blocks: keepBlocks };
    case 'keepFor':
      return { kind: policy, seconds: keepForSeconds };
  }
}
