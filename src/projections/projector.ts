/**
 * Drives the projections behind the log: after each commit, in batches of its own. What a projection does, a slow disk
 * or a wrong `apply`, never reaches consensus; it goes on from its cursor, through the changes that the log keeps until
 * every projection has seen them.
 *
 * Rows that were made beside those that serve (`build.ts`) are adopted as successors: they follow the log with the
 * others, and once they are as far, one batch moves all of their pointers.
 */
import { assert } from '../base/assert.ts';
import { slicesOf } from '../base/slices.ts';
import { codedError } from '../base/result.ts';
import { projectedOps, type BlockLog } from '../ledger/block-log.ts';
import { CHANGES_RANGE, fromBigEndian } from '../ledger/layout.ts';
import type { StoreOperation } from '../store/store.ts';
import { Adoption } from './adoption.ts';
import { readBuild, removeBuildState, type PlannedRows } from './build-state.ts';
import type { ProjectedBlock, Projection, ProjectionReader } from './projection.ts';
import { PendingRows, readPointer, Rows } from './rows.ts';
import type { ServedRows } from './served-rows.ts';
import { takeUp, type Follower, type TakenUpFrom, type Track } from './take-up.ts';
import { Tidying } from './tidying.ts';

export interface ProjectorOptions extends TakenUpFrom {
  readonly projections: readonly Projection[];
  /** A projection stopped: it serves what it has until it is rebuilt. */
  readonly onStopped: (name: string, error: unknown) => void;
}

export interface ProjectionStatus {
  readonly name: string;
  /** The last height that the rows hold; -1 before genesis is in them. */
  readonly height: number;
  /** `stale`: none, or of another version, or behind what the log still knows: they are rebuilt. */
  readonly state: Follower['state'];
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
/** Of the block that the log begins with: what is garbage of more of them stays with the process. */
const FIRST_CHANGES_PER_BATCH = 100;
/** Heights whose changes are forgotten in one batch. */
const MAX_FORGOTTEN_PER_BATCH = 256;

export class Projector {
  readonly #options: ProjectorOptions;
  readonly #followers: readonly Follower[];
  readonly #buffer = new Map<number, ProjectedBlock>();
  readonly #pending = new WeakMap<Track, PendingRows>();
  readonly #tidying: Tidying;
  /** The changes of heights up to here are gone. */
  #forgotten: number;
  /** Changes above this height stay, whoever has seen them. */
  #heldAbove: number | null = null;
  #adoption: Adoption | null = null;
  #running: Promise<void> | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: ProjectorOptions, followers: readonly Follower[], tidying: Tidying, forgotten: number) {
    this.#options = options;
    this.#followers = followers;
    this.#tidying = tidying;
    this.#forgotten = forgotten;
  }

  /** Takes up each projection where it stood; a new log begins all of them. */
  static async open(options: ProjectorOptions): Promise<Projector> {
    const { log, store } = options;
    const tidying = new Tidying(store);
    const followers: Follower[] = [];
    for (const projection of options.projections) followers.push(await takeUp(options, projection, tidying));
    let forgotten = log.head().height;
    for await (const [key] of store.entries({ ...CHANGES_RANGE, limit: 1 })) {
      forgotten = Math.min(forgotten, fromBigEndian(key.subarray(1)) - 1);
    }
    if (readBuild(store) === undefined) tidying.begin((write) => removeBuildState(store, write));
    return new Projector(options, followers, tidying, forgotten);
  }

  status(): readonly ProjectionStatus[] {
    return this.#followers.map(({ projection: { name }, state, track }) => ({ name, height: track.cursor, state }));
  }

  /**
   * Rows to serve reads from: of the generation that serves at this moment, and may be replaced at any other.
   *
   * @throws CodedError `projection-not-built`
   */
  reader(name: string): ProjectionReader {
    return this.#served(name).current;
  }

  /**
   * Reads of one generation to the end, whatever takes its place meanwhile.
   *
   * @throws CodedError `projection-not-built`, and what `use` throws
   */
  read<T>(name: string, use: (reader: ProjectionReader, height: number) => Promise<T>): Promise<T> {
    return this.#served(name).read((rows) => use(rows, rows.cursor()));
  }

  /** Blocks that were just committed. Returns at once. */
  offer(blocks: readonly ProjectedBlock[]): void {
    const lowest = Math.min(...this.#tracks().map(({ cursor }) => cursor));
    for (const block of blocks) {
      const isNew = lowest < block.header.height;
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

  /** Resolves when nothing is left of rows that nobody reads any more. */
  async tidied(): Promise<void> {
    await this.#tidying.idle();
  }

  /** Ends after the batch under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#gathering);
    await this.#running;
    this.#adoption?.done.reject(closedError());
    await this.#tidying.close();
  }

  /** Generations that nothing uses, for rows to be made beside those that serve. */
  async plan(names: readonly string[]): Promise<readonly PlannedRows[]> {
    await this.#tidying.idle();
    return names.map((name) => {
      const { projection } = this.#follower(name);
      const pointer = readPointer(this.#options.store, name);
      const generation = pointer === undefined ? 0 : pointer.generation + 1;
      return { name, version: projection.version, generation };
    });
  }

  /**
   * From now on the log keeps what blocks changed, until rows are adopted or `release` is called.
   *
   * @param height what is known to be executed already
   * @returns the least height at which rows can be adopted
   */
  hold(height: number): number {
    const following = this.#following().map(({ cursor }) => cursor);
    this.#heldAbove = Math.max(
      height,
      following.length === 0 ? this.#options.log.head().height : Math.min(...following),
    );
    return this.#heldAbove;
  }

  release(): void {
    this.#heldAbove = null;
    this.#start();
  }

  /**
   * Rows that were made beside those that serve, up to a height at which what blocks changed is held.
   *
   * @returns the names of those that serve now, the others having stopped; rejects where it is closed before they serve
   */
  adopt(plan: readonly PlannedRows[], height: number): Promise<readonly string[]> {
    const { log, store } = this.#options;
    if (this.#closed) return Promise.reject(closedError());
    assert(this.#adoption === null, 'rows are adopted one rebuild after another');
    assert(this.#heldAbove !== null && this.#heldAbove <= height, 'what blocks changed is held', { height });
    const successors = plan.map(({ generation, name }): Track => {
      const rows = new Rows(store, name, generation);
      return { projection: this.#follower(name).projection, rows, cursor: height };
    });
    this.#adoption = new Adoption(successors, log.head().height);
    const { promise } = this.#adoption.done;
    this.#start();
    return promise;
  }

  #start(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        for (const follower of this.#followers) if (follower.state === 'following') this.#stop(follower, error);
        this.#adoption?.done.reject(error);
        this.#adoption = null;
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      if (this.#adoption?.isReady(this.#follower) === true) await this.#swap(this.#adoption);
      const head = this.#options.log.head().height;
      const behind = this.#tracks().filter(({ cursor }) => cursor < head);
      if (behind.length > 0) {
        const next = Math.min(...behind.map(({ cursor }) => cursor)) + 1;
        await this.#project(this.#take(next), head);
        continue;
      }
      const forgetting = this.#forgetOps();
      if (forgetting.length === 0) return;
      await this.#options.store.batch(forgetting, { sync: false });
    }
  }

  async #project(block: ProjectedBlock, head: number): Promise<void> {
    const { firstHeight = 0 } = this.#options;
    const { changes, events, header } = block;
    const isLargeState =
      header.height === firstHeight && events.length === 0 && changes.length > FIRST_CHANGES_PER_BATCH;
    await (isLargeState ? this.#projectFirst(block) : this.#projectSome(block, head));
  }

  /**
   * The block that the log begins with: it changed all of the state. Rows are made of some of it at a time, since those of
   * 10,000 nodes are 80,000 operations and 40 MB, and count from their cursor on.
   */
  async #projectFirst(block: ProjectedBlock): Promise<void> {
    const { store } = this.#options;
    const { height } = block.header;
    const tracks = this.#tracks().filter(({ cursor }) => cursor === height - 1);
    const beginning = new Map(tracks.map((track) => [track, this.#pendingOf(track)]));
    for (const changes of slicesOf(block.changes, FIRST_CHANGES_PER_BATCH)) {
      for (const [track, rows] of beginning) {
        if (!this.#apply(track, rows, { ...block, changes })) beginning.delete(track);
      }
      const written = Array.from(beginning, ([{ rows }, own]) => rows.partOps(own.take()));
      await store.batch(written.flat(), { sync: false });
    }
    for (const track of beginning.keys()) track.cursor = height;
    const cursors = Array.from(beginning.keys(), ({ rows }) => rows.writeOps([], height));
    await store.batch([...cursors.flat(), ...this.#forgetOps()], { sync: false });
  }

  /** One batch, from this block on. */
  async #projectSome(first: ProjectedBlock, head: number): Promise<void> {
    const { height: fromHeight } = first.header;
    const pending = new Map(this.#tracks().map((track) => [track, this.#pendingOf(track)]));
    const last = Math.min(head, fromHeight + MAX_BLOCKS_PER_BATCH - 1);
    for (let height = fromHeight; height <= last; height++) {
      const block = height === fromHeight ? first : this.#take(height);
      for (const [track, rows] of pending) {
        if (track.cursor !== height - 1) continue;
        if (this.#apply(track, rows, block)) track.cursor = height;
        else pending.delete(track);
      }
    }
    const written = Array.from(pending, ([{ cursor, rows }, own]) => rows.writeOps(own.take(), cursor));
    await this.#options.store.batch([...written.flat(), ...this.#forgetOps()], { sync: false });
  }

  #pendingOf(track: Track): PendingRows {
    const known = this.#pending.get(track);
    if (known !== undefined) return known;
    const pending = new PendingRows(track.rows);
    this.#pending.set(track, pending);
    return pending;
  }

  #apply(track: Track, rows: PendingRows, block: ProjectedBlock): boolean {
    try {
      rows.add(track.projection.apply(block, rows));
      return true;
    } catch (error) {
      this.#failed(track, error);
      return false;
    }
  }

  #failed(track: Track, error: unknown): void {
    const follower = this.#follower(track.projection.name);
    if (follower.track === track) {
      this.#stop(follower, error);
      return;
    }
    this.#adoption?.drop(track);
    this.#tidying.begin((write) => track.rows.remove(write));
    this.#options.onStopped(track.projection.name, error);
  }

  #stop(follower: Follower, error: unknown): void {
    follower.state = 'stopped';
    this.#options.onStopped(follower.projection.name, error);
  }

  async #swap(adoption: Adoption): Promise<void> {
    const { store } = this.#options;
    await store.batch(adoption.pointerOps(), { sync: true });
    this.#adoption = null;
    this.#heldAbove = null;
    adoption.serve(this.#follower, this.#tidying);
    this.#tidying.begin((write) => removeBuildState(store, write));
  }

  /** Changes that every projection has seen, oldest first. */
  #forgetOps(): StoreOperation[] {
    const seen = Math.min(...this.#following().map(({ cursor }) => cursor), this.#heldAbove ?? Infinity);
    if (seen === Infinity) return [];
    const operations: StoreOperation[] = [];
    const last = Math.min(seen, this.#forgotten + MAX_FORGOTTEN_PER_BATCH);
    while (this.#forgotten < last) operations.push(...projectedOps(++this.#forgotten));
    return operations;
  }

  #take(height: number): ProjectedBlock {
    const buffered = this.#buffer.get(height);
    this.#buffer.delete(height);
    return buffered ?? blockFromLog(this.#options.log, height);
  }

  /** That serve. */
  #following(): Track[] {
    return this.#followers.flatMap(({ state, track }) => (state === 'following' ? [track] : []));
  }

  #tracks(): Track[] {
    return [...this.#following(), ...(this.#adoption?.successors ?? [])];
  }

  readonly #follower = (name: string): Follower => {
    const follower = this.#followers.find(({ projection }) => projection.name === name);
    assert(follower !== undefined, 'the projection is in the catalog', { name });
    return follower;
  };

  #served(name: string): ServedRows {
    const { served } = this.#follower(name);
    if (served !== null) return served;
    throw codedError('projection-not-built', 'this projection is being made; "hotledger status" says how far it is', {
      name,
    });
  }
}

function closedError(): Error {
  return new Error('the projections are closed');
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
