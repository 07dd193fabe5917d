/**
 * Rebuilding projections beside those that serve, while the node runs: the log is executed again from its first block,
 * on a state of its own, into new generations of rows. It follows the log until it is told where to end; the projector
 * then carries the new rows on and moves the pointer (`projector.ts`).
 *
 * It reads the store and never writes to it: batches are handed to whoever has the store, so that one writer alone knows
 * whether what was written before is whole. It may therefore run in a thread of its own.
 */
import { assert } from '../base/assert.ts';
import { slicesOf } from '../base/slices.ts';
import { codedError, unwrap } from '../base/result.ts';
import type { Block } from '../ledger/block.ts';
import type { BlockLog } from '../ledger/block-log.ts';
import { headOf, type GenesisState } from '../ledger/genesis-state.ts';
import { LedgerMachine } from '../ledger/machine.ts';
import { Replay, type ReplayedBlock, type ReplayOptions } from '../ledger/replay.ts';
import type { StateTree, TreeVersion } from '../ledger/state-tree.ts';
import type { StateChange } from '../ledger/state.ts';
import type { Store, StoreOperation } from '../store/store.ts';
import {
  buildOps,
  buildStateOps,
  buildStateReader,
  loadBuildTree,
  readBuild,
  removeBuildState,
  type PlannedRows,
} from './build-state.ts';
import type { Projection } from './projection.ts';
import { PendingRows, REBUILD_READ_ROWS, readPointer, Rows, type RowWriter } from './rows.ts';

export interface BuildOptions {
  /** Read only. */
  readonly store: Pick<Store, 'entries' | 'get'>;
  /** Resolves once a read of the store sees it. */
  readonly write: RowWriter;
  readonly log: BlockLog;
  /** The first block that can be executed from, and the whole state at it. */
  readonly first: GenesisState;
  readonly validatorsOf: ReplayOptions['validatorsOf'];
  /** Which rows to make. */
  readonly plan: readonly PlannedRows[];
  /** What makes them. */
  readonly catalog: readonly Projection[];
  readonly control: BuildControl;
  /** That share a batch, about, or entries of the first state; a test takes fewer than is good. */
  readonly eventsPerBatch?: number;
}

/** What surrounds a rebuild: how fast it may go, and until where. */
export interface BuildControl {
  /** Called after each batch, and while there is nothing to do. */
  readonly pause: (atHead: boolean) => Promise<void>;
  readonly onProgress: (progress: BuildProgress) => void;
  /** It ends at this height, or where it is when that is higher; null: it follows the log. */
  readonly finishAt: () => number | null;
  /** It ends as soon as it can, to be resumed. */
  readonly isStopped: () => boolean;
}

export interface BuildProgress {
  /** The last height that is in the rows; below the first block before it. */
  readonly height: number;
  readonly headHeight: number;
  /** Executed since the rebuild began, or was resumed. */
  readonly events: number;
}

/** About 200 KB, behind which a commit's own batch may have to wait. */
const EVENTS_PER_BATCH = 250;

/**
 * @returns the height that the rows hold; null when it was stopped before it was told where to end
 * @throws CodedError `replay-from-snapshot`: the log begins behind the first block; `store-corrupt`, and of a block that
 *   does not execute to the root in its header
 */
export async function buildRows(options: BuildOptions): Promise<number | null> {
  return (await Build.begin(options)).run();
}

interface BuiltRows {
  readonly projection: Projection;
  readonly rows: Rows;
  readonly pending: PendingRows;
}

class Build {
  readonly #options: BuildOptions;
  readonly #built: readonly BuiltRows[];
  readonly #machine: LedgerMachine;
  readonly #replay: Replay;
  /** What the blocks of the next batch did to the state. */
  readonly #state: StoreOperation[] = [];
  #height: number;
  #events = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: BuildOptions, { block, tree, version }: Standing) {
    const { first, log, store, validatorsOf } = options;
    const backing = buildStateReader(store);
    this.#options = options;
    this.#built = builtRows(options);
    this.#machine = new LedgerMachine({ chainId: log.chainId, head: headOf(block), backing, tree, version });
    const keep = (changes: readonly StateChange[]) => void this.#state.push(...buildStateOps(changes));
    this.#replay = new Replay({ genesis: first, validatorsOf, from: { block, machine: this.#machine, keep } });
    this.#height = block.header.height;
  }

  static async begin(options: BuildOptions): Promise<Build> {
    return new Build(options, (await resumed(options)) ?? (await startOver(options)));
  }

  async run(): Promise<number | null> {
    const { control, log } = this.#options;
    try {
      for (;;) {
        const headHeight = log.head().height;
        control.onProgress({ height: this.#height, headHeight, events: this.#events });
        if (control.isStopped()) return null;
        const end = control.finishAt();
        if (end !== null && this.#height >= end) break;
        const atHead = this.#height === headHeight;
        if (!atHead) await this.#batch(Math.min(end ?? headHeight, headHeight));
        await control.pause(atHead);
      }
    } finally {
      await this.#writing;
    }
    return this.#height;
  }

  /** Executes some blocks; the batch before is written meanwhile. */
  async #batch(last: number): Promise<void> {
    const { eventsPerBatch = EVENTS_PER_BATCH } = this.#options;
    let inBatch = 0;
    while (this.#height < last && inBatch < eventsPerBatch) {
      const height = this.#height + 1;
      const sealed = this.#options.log.sealedBlockAt(height);
      if (sealed === undefined) throw codedError('store-corrupt', 'a block is missing from the log', { height });
      const replayed = unwrap(this.#replay.step(sealed));
      applyBlock(this.#built, replayed);
      const { length } = replayed.block.events;
      this.#events += length;
      inBatch += 1 + length;
      this.#height = height;
    }
    await this.#writing;
    this.#writing = this.#write();
    // Its failure is seen where it is awaited, which is later.
    void this.#writing.catch(() => undefined);
  }

  async #write(): Promise<void> {
    const { plan, write } = this.#options;
    const height = this.#height;
    const operations = [
      ...this.#state.splice(0),
      ...rowOps(this.#built, height),
      ...buildOps({ plan, nextHeight: height + 1 }),
    ];
    await write(operations);
    this.#machine.settled(height);
  }
}

function builtRows({ catalog, plan, store }: BuildOptions): readonly BuiltRows[] {
  return plan.map(({ generation, name, version }) => {
    const projection = catalog.find((candidate) => candidate.name === name);
    assert(projection?.version === version, 'what is planned is in the catalog', { name, version });
    const rows = new Rows(store, name, generation);
    return { projection, rows, pending: new PendingRows(rows, REBUILD_READ_ROWS) };
  });
}

function applyBlock(built: readonly BuiltRows[], { block, changes }: ReplayedBlock): void {
  const { events, header } = block;
  for (const { pending, projection } of built) pending.add(projection.apply({ header, events, changes }, pending));
}

function rowOps(built: readonly BuiltRows[], height: number): StoreOperation[] {
  return built.flatMap(({ pending, rows }) => rows.writeOps(pending.take(), height));
}

/** Where a rebuild stands: a block that was executed, and the tree of the state after it. */
interface Standing {
  readonly block: Block;
  readonly tree: StateTree;
  readonly version: TreeVersion;
}

/** Where the same rebuild stood; undefined: there was none, or it was another, or what it kept is not what it claims. */
async function resumed({ log, plan, store }: BuildOptions): Promise<Standing | undefined> {
  const record = readBuild(store);
  if (record === undefined || record.nextHeight === 0 || !isSamePlan(record.plan, plan)) return undefined;
  const height = record.nextHeight - 1;
  const block = height > log.head().height ? undefined : log.sealedBlockAt(height)?.block;
  const isWhole = plan.every(({ generation, name }) => new Rows(store, name, generation).cursor() === height);
  if (block === undefined || !isWhole) return undefined;
  const { tree, version } = await loadBuildTree(store);
  return version.root === block.header.stateRoot ? { block, tree, version } : undefined;
}

export function isSamePlan(one: readonly PlannedRows[], other: readonly PlannedRows[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ generation, name, version }, place) => {
      const planned = other[place];
      return planned?.name === name && planned.version === version && planned.generation === generation;
    })
  );
}

/**
 * Removes what an earlier rebuild left, and begins with the first block. Until all of that is written it counts as nothing.
 * The state comes in parts: the rows of all of it, ten for a node, would not fit into a thread's memory.
 */
async function startOver(options: BuildOptions): Promise<Standing> {
  const { eventsPerBatch = EVENTS_PER_BATCH, first, log, plan, store, write } = options;
  const { block, changes } = first;
  const { height } = block.header;
  if (log.sealedBlockAt(height)?.block.id !== block.id) {
    throw codedError('replay-from-snapshot', 'the log does not go back to the block that a rebuild begins with', {
      height,
    });
  }
  for (const { generation, name } of [...(readBuild(store)?.plan ?? []), ...plan]) {
    // By the record that was left, they are nobody's; but whatever serves by now is somebody's.
    if (readPointer(store, name)?.generation !== generation) await new Rows(store, name, generation).remove(write);
  }
  await removeBuildState(store, write);
  const built = builtRows(options);
  // Of a state that the log begins with nobody knows how it came to be: it is no block's work.
  const told = height === 0 ? block : { ...block, header: { ...block.header, proposer: '' }, events: [] };
  assert(told.events.length === 0, 'a state that a log begins with is no work of events', { height });
  await write(buildOps({ plan, nextHeight: 0 }));
  // Of no entry there are rows, too.
  for (const part of changes.length === 0 ? [changes] : slicesOf(changes, eventsPerBatch)) {
    applyBlock(built, { block: told, changes: part });
    await write([...buildStateOps(part), ...rowOps(built, height)]);
  }
  await write(buildOps({ plan, nextHeight: height + 1 }));
  return { block, ...(await loadBuildTree(store)) };
}
