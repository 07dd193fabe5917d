/**
 * Drives the projections behind the log: after each commit, in batches of its own. What a projection does, a slow disk
 * or a wrong `apply`, never reaches consensus; it goes on from its cursor, through the changes that the log keeps until
 * every projection has seen them.
 */
import { assert } from '../base/assert.ts';
import { codedError } from '../base/result.ts';
import { projectedOps, type BlockLog } from '../ledger/block-log.ts';
import type { Store, StoreOperation } from '../store/store.ts';
import type { ProjectedBlock, Projection, ProjectionReader } from './projection.ts';
import { PendingRows, pointerOps, readPointer, Rows } from './rows.ts';

export interface ProjectorOptions {
  readonly store: Store;
  readonly log: BlockLog;
  readonly projections: readonly Projection[];
  /** Of the log's first block, which changed all of the state as it was then; 0 where it is not said. */
  readonly firstHeight?: number;
  /** A projection stopped: it serves what it has until it is rebuilt. */
  readonly onStopped: (name: string, error: unknown) => void;
}

export interface ProjectionStatus {
  readonly name: string;
  /** The last height that the rows hold; -1 before genesis is in them. */
  readonly height: number;
  /** `stale`: rows of another version, or behind what the log still knows: `replay` rebuilds them. */
  readonly state: 'following' | 'stale' | 'stopped';
}

interface Follower {
  readonly projection: Projection;
  rows: Rows;
  cursor: number;
  state: ProjectionStatus['state'];
}

/** Blocks offered and not projected yet; beyond, they are read from the log again. */
const MAX_BUFFERED_BLOCKS = 64;
/**
 * Blocks that are committed within this time share a batch: of a row that several of them write, the last is written, and a
 * batch of its own costs each of them as much as the rows of ten events. So late are the rows at most, on an idle machine.
 */
const GATHER_MS = 25;
/** Blocks of one batch while catching up. */
const MAX_BLOCKS_PER_BATCH = 64;

export class Projector {
  readonly #options: ProjectorOptions;
  readonly #followers: readonly Follower[];
  readonly #buffer = new Map<number, ProjectedBlock>();
  #running: Promise<void> | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: ProjectorOptions, followers: readonly Follower[]) {
    this.#options = options;
    this.#followers = followers;
  }

  /** Takes up each projection where it stood; a new log begins all of them. */
  static async open(options: ProjectorOptions): Promise<Projector> {
    const followers: Follower[] = [];
    for (const projection of options.projections) followers.push(await takeUp(options, projection));
    return new Projector(options, followers);
  }

  status(): readonly ProjectionStatus[] {
    return this.#followers.map(({ cursor, projection, state }) => ({ name: projection.name, height: cursor, state }));
  }

  /** Rows to serve reads from: of the generation that serves at this moment. */
  reader(name: string): ProjectionReader {
    return this.#follower(name).rows;
  }

  /** Blocks that were just committed. Returns at once. */
  offer(blocks: readonly ProjectedBlock[]): void {
    for (const block of blocks) {
      const isNew = this.#following().some(({ cursor }) => cursor < block.header.height);
      if (isNew && this.#buffer.size < MAX_BUFFERED_BLOCKS) this.#buffer.set(block.header.height, block);
    }
    // What is running finds them.
    if (this.#running === undefined) this.#gathering ??= setTimeout(() => this.#start(), GATHER_MS);
  }

  /** Resolves when every projection that follows holds the head of the log. */
  async caughtUp(): Promise<void> {
    this.#start();
    await this.#running;
  }

  /** Ends after the batch under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#gathering);
    await this.#running;
  }

  #start(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        for (const follower of this.#following()) this.#stop(follower, error);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const head = this.#options.log.head().height;
      const behind = this.#following().filter(({ cursor }) => cursor < head);
      if (behind.length === 0) return;
      await this.#projectSome(Math.min(...behind.map(({ cursor }) => cursor)) + 1, head);
    }
  }

  /** One batch, from this height on. */
  async #projectSome(fromHeight: number, head: number): Promise<void> {
    const followers = this.#following();
    const pending = new Map(followers.map((follower) => [follower, new PendingRows(follower.rows)]));
    const last = Math.min(head, fromHeight + MAX_BLOCKS_PER_BATCH - 1);
    const done: StoreOperation[] = [];
    for (let height = fromHeight; height <= last; height++) {
      const block = this.#take(height);
      for (const [follower, rows] of pending) {
        if (follower.cursor !== height - 1) continue;
        if (this.#apply(follower, rows, block)) follower.cursor = height;
        else pending.delete(follower);
      }
      done.push(...projectedOps(height));
    }
    const written = Array.from(pending, ([{ cursor, rows }, own]) => rows.writeOps(own.take(), cursor));
    await this.#options.store.batch([...written.flat(), ...done], { sync: false });
  }

  #apply(follower: Follower, rows: PendingRows, block: ProjectedBlock): boolean {
    try {
      rows.add(follower.projection.apply(block, rows));
      return true;
    } catch (error) {
      this.#stop(follower, error);
      return false;
    }
  }

  #stop(follower: Follower, error: unknown): void {
    follower.state = 'stopped';
    this.#options.onStopped(follower.projection.name, error);
  }

  #take(height: number): ProjectedBlock {
    const buffered = this.#buffer.get(height);
    this.#buffer.delete(height);
    return buffered ?? blockFromLog(this.#options.log, height);
  }

  #following(): Follower[] {
    return this.#followers.filter(({ state }) => state === 'following');
  }

  #follower(name: string): Follower {
    const follower = this.#followers.find(({ projection }) => projection.name === name);
    assert(follower !== undefined, 'the projection is in the catalog', { name });
    return follower;
  }
}

/** The rows that serve now, or new ones where the log still knows its first block's changes. */
async function takeUp({ firstHeight = 0, log, store }: ProjectorOptions, projection: Projection): Promise<Follower> {
  const { name, version } = projection;
  const pointer = readPointer(store, name);
  const rows = new Rows(store, name, pointer?.generation ?? 0);
  if (pointer === undefined) await store.batch(pointerOps(name, { version, generation: 0 }), { sync: false });
  const written = rows.cursor();
  const cursor = written === -1 ? firstHeight - 1 : written;
  const isCurrent = pointer === undefined || pointer.version === version;
  const canFollow = cursor === log.head().height || log.changesAt(cursor + 1) !== undefined;
  return { projection, rows, cursor, state: isCurrent && canFollow ? 'following' : 'stale' };
}

/** @throws CodedError `changes-not-kept` */
function blockFromLog(log: BlockLog, height: number): ProjectedBlock {
  const sealed = log.sealedBlockAt(height);
  const changes = log.changesAt(height);
  if (sealed === undefined || changes === undefined) {
    throw codedError('changes-not-kept', 'the log no longer knows what the block changed; rebuild the projections', {
      height,
    });
  }
  return { header: sealed.block.header, events: sealed.block.events, changes };
}
