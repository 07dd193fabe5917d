/** Executing the blocks of a log into a place: state and rows of projections, batch by batch. */
import { AssertionError } from '../../base/assert.ts';
import { CodedError, codedError, refuse } from '../../base/result.ts';
import { decodeOwnSealedBlock, type Block, type SealedBlock } from '../../ledger/block.ts';
import { stateOps } from '../../ledger/block-log.ts';
import { stateKey } from '../../ledger/layout.ts';
import { headOf } from '../../ledger/genesis-state.ts';
import { LedgerMachine } from '../../ledger/machine.ts';
import { Replay, type ReplayedBlock } from '../../ledger/replay.ts';
import type { StateChange } from '../../ledger/state.ts';
import type { Projection } from '../../projections/projection.ts';
import { PendingRows, REBUILD_READ_ROWS, Rows } from '../../projections/rows.ts';
import type { ValidatorSet } from '../../qc/validator-set.ts';
import type { Store, StoreOperation } from '../../store/store.ts';
import { begin, PLACE_GENERATION, type FirstState } from './beginning.ts';
import type { BlockChecks } from './checks.ts';
import type { Place, PlaceStanding } from './place.ts';

export interface RebuildOptions {
  readonly place: Place;
  /** The state that the log begins with. */
  readonly first: FirstState;
  /** Of an earlier run; null: begin. */
  readonly standing: PlaceStanding | null;
  readonly validators: ValidatorSet;
  readonly projections: readonly Projection[];
  readonly checks: BlockChecks;
  /** And blocks, that share a batch; a test takes fewer than is good. */
  readonly eventsPerBatch?: number | undefined;
}

type BatchListener = (height: number, events: number) => void;

const EVENTS_PER_BATCH = 2000;
/** Of records, about 100 MB. */
const RECENT_VALUES = 262_144;

interface Build {
  readonly projection: Projection;
  readonly rows: Rows;
  readonly pending: PendingRows;
}

/** Blocks that are executed and not written. */
interface Batch {
  readonly state: Map<string, StateChange>;
  readonly checks: Promise<void>[];
  size: number;
}

export class Rebuild {
  readonly #options: RebuildOptions;
  readonly #machine: LedgerMachine;
  readonly #replay: Replay;
  readonly #builds: readonly Build[];
  #head: Pick<Block, 'header' | 'headerBytes' | 'id'>;
  #events: number;
  #batch: Batch = emptyBatch();
  #onBatch: BatchListener = () => undefined;
  /** One batch is checked and written while the next is gathered. */
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: RebuildOptions, standing: PlaceStanding) {
    const { first, place, projections, validators } = options;
    const { block, events, tree, version } = standing;
    const { chainId } = first;
    this.#options = options;
    this.#builds = projections.map((projection) => {
      const rows = new Rows(place.store, projection.name, PLACE_GENERATION);
      return { projection, rows, pending: new PendingRows(rows, REBUILD_READ_ROWS) };
    });
    this.#head = block;
    this.#events = events;
    this.#machine = new LedgerMachine({
      chainId,
      head: headOf(block),
      backing: { get: (key) => place.store.get(stateKey(key)) },
      tree,
      version,
      recentValues: RECENT_VALUES,
      heldHeights: 1,
    });
    this.#replay = new Replay({
      // What it changed is in the place.
      genesis: { ...first, changes: [] },
      from: { block: { ...block, events: [] }, machine: this.#machine, keep: (changes) => this.#keep(changes) },
      validatorsOf: () => validators,
    });
  }

  /** Takes up what is in the place, or puts the first state there. */
  static async open(options: RebuildOptions): Promise<Rebuild> {
    const { first, place, projections } = options;
    return new Rebuild(options, options.standing ?? (await begin(place, first, projections)));
  }

  /** The last block that was replayed. */
  get head(): Pick<Block, 'header' | 'id'> {
    return this.#head;
  }

  /** In all blocks up to the head. */
  get events(): number {
    return this.#events;
  }

  get store(): Pick<Store, 'entries'> {
    return this.#options.place.store;
  }

  /** Rebuilt rows of a projection, at the head. */
  rowsOf(name: string): Rows {
    return new Rows(this.#options.place.store, name, PLACE_GENERATION);
  }

  /**
   * Replays these blocks, which follow the head. When it settles, all of them are in the place; when it fails, those of
   * the batches before are.
   *
   * @param onBatch a batch is in the place
   * @throws CodedError the refusal of the first block that does not hold, with its height
   */
  async through(blocks: AsyncIterable<Uint8Array>, onBatch: BatchListener): Promise<void> {
    const { eventsPerBatch = EVENTS_PER_BATCH } = this.#options;
    this.#onBatch = onBatch;
    try {
      for await (const sealedBytes of blocks) {
        await this.#step(sealedBytes);
        if (this.#batch.size >= eventsPerBatch) await this.#flush(false);
      }
      await this.#flush(true);
      await this.#writing;
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #step(sealedBytes: Uint8Array): Promise<void> {
    const { checks } = this.#options;
    const height = this.#head.header.height + 1;
    const sealed = decoded(this.#options.first.chainId, sealedBytes, height);
    await checks.room();
    const check = checks.begin(sealed);
    // It is awaited with its batch, or not at all where an earlier one failed.
    check.catch(() => undefined);
    this.#batch.checks.push(check);
    const replayed = this.#replay.step(sealed);
    if (!replayed.ok) {
      const { refusal } = replayed;
      throw new CodedError(refuse(refusal.code, refusal.message, { ...refusal.details, height }).refusal);
    }
    this.#apply(replayed.value);
    this.#head = sealed.block;
    this.#events += sealed.block.events.length;
    this.#batch.size += 1 + sealed.block.events.length;
  }

  #keep(changes: readonly StateChange[]): void {
    for (const change of changes) this.#batch.state.set(change.key, change);
  }

  #apply({ block: { events, header }, changes }: ReplayedBlock): void {
    for (const { pending, projection } of this.#builds) {
      pending.add(projection.apply({ header, events, changes }, pending));
    }
  }

  async #flush(isLast: boolean): Promise<void> {
    await this.#writing;
    if (this.#batch.size === 0) return;
    const { checks, state } = this.#batch;
    this.#batch = emptyBatch();
    const operations = [...stateOps([...state.values()]), ...this.#rowOps()];
    this.#writing = this.#write(operations, checks, isLast);
    // Its failure is seen where it is awaited, which is later.
    this.#writing.catch(() => undefined);
  }

  async #write(operations: readonly StoreOperation[], checks: readonly Promise<void>[], sync: boolean): Promise<void> {
    const { place } = this.#options;
    const onBatch = this.#onBatch;
    const block = this.#head;
    const events = this.#events;
    for (const check of checks) await check;
    await place.write(operations, { block, events }, sync);
    this.#machine.settled(block.header.height);
    onBatch(block.header.height, events);
  }

  #rowOps(): StoreOperation[] {
    const { height } = this.#head.header;
    return this.#builds.flatMap(({ pending, rows }) => rows.writeOps(pending.take(), height));
  }

  /** What failed first in the order of the blocks: checks of earlier ones may still be under way. */
  async #fail(error: unknown): Promise<never> {
    await this.#writing;
    for (const check of this.#batch.checks) await check;
    throw error;
  }
}

function emptyBatch(): Batch {
  return { state: new Map(), checks: [], size: 0 };
}

/** @throws CodedError `replay-block-undecodable` */
function decoded(chainId: string, sealedBytes: Uint8Array, height: number): SealedBlock {
  let because: string;
  try {
    const sealed = decodeOwnSealedBlock(chainId, sealedBytes);
    if (sealed.ok) return sealed.value;
    because = sealed.refusal.code;
  } catch (error) {
    if (error instanceof CodedError || !(error instanceof AssertionError)) throw error;
    because = error.message;
  }
  throw codedError('replay-block-undecodable', 'the log holds a block that does not decode', { height, because });
}
