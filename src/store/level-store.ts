/**
 * The one implementation of `Store` that keeps data: LevelDB through classic-level.
 *
 * Synced batches survive power loss (LevelDB's log is fdatasynced); a batch that was torn by a crash is dropped whole,
 * as its record in the log has a checksum (LevelDB, doc/log_format.md). A log that is damaged otherwise is refused. Of a
 * table LevelDB checks nothing when it is read (classic-level sets no `verify_checksums`): a value whose silent change
 * matters carries a check of its own.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ClassicLevel, type Snapshot } from 'classic-level';
import { codedError, type CodedError } from '../base/result.ts';
import { damageInLog } from './level-log.ts';
import type { KeyRange, PinnableStore, StoreOperation, StoreView } from './store.ts';

export interface LevelStoreOptions {
  /** Make the directory when it is absent. Off by default: an emptied disk must not pass for a new node. */
  readonly create?: boolean;
  /** Block cache, bytes. */
  readonly cacheBytes?: number;
  /**
   * Lets other threads of this process open it as well, by `LevelStore.join`: they share its tables, its log and its
   * caches. Another process is refused as ever.
   */
  readonly threads?: boolean;
}

const DEFAULT_CACHE_BYTES = 8 * 1024 * 1024;
/**
 * What LevelDB gathers in memory, twice at most, before it writes a table. Nodes change all over the key space, so that
 * each table is merged into all of the level below it: with LevelDB's own 4 MiB that took 100 us of processor time an
 * event of 100,000 nodes, and takes 30 with this.
 */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
/** How many entries cross from the native side at once while iterating. */
const ENTRIES_PER_READ = 1000;

type Level = ClassicLevel<Uint8Array, Uint8Array>;

/** What this thread has open: with `threads`, LevelDB itself would open it once more. */
const opened = new Set<string>();

export class LevelStore implements PinnableStore {
  readonly #level: Level;
  /** By which this thread knows that it has it open; null of one that another thread opened. */
  readonly #path: string | null;
  /** The first write that failed. */
  #failed: CodedError | null = null;

  private constructor(level: Level, path: string | null) {
    this.#level = level;
    this.#path = path;
  }

  /**
   * @throws CodedError `store-missing` (no directory and not asked to create one), `store-locked` (another process has
   *   it open), `store-corrupt` (damaged, or left half written), `store-disk-full`, `store-open-failed`
   */
  static async open(directory: string, options: LevelStoreOptions = {}): Promise<LevelStore> {
    const path = resolve(directory);
    if (opened.has(path)) {
      throw codedError('store-locked', 'this process has the data directory open already', { directory });
    }
    const create = options.create ?? false;
    await checkFiles(directory, create);
    const level: Level = new ClassicLevel(directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      createIfMissing: create,
      cacheSize: options.cacheBytes ?? DEFAULT_CACHE_BYTES,
      writeBufferSize: WRITE_BUFFER_BYTES,
      multithreading: options.threads ?? false,
    });
    try {
      await level.open();
    } catch (error) {
      throw openingError(directory, error);
    }
    opened.add(path);
    return new LevelStore(level, path);
  }

  /**
   * In a worker thread: the store that the main thread has open with `threads`. Its closing closes nothing of the other's.
   *
   * @throws CodedError `store-locked` where it was opened without `threads`, `store-missing`, `store-open-failed`
   */
  static async join(directory: string): Promise<LevelStore> {
    const level: Level = new ClassicLevel(directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      createIfMissing: false,
      multithreading: true,
    });
    try {
      await level.open();
    } catch (error) {
      throw openingError(directory, error);
    }
    return new LevelStore(level, null);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#get(key);
  }

  async batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void> {
    // What follows half a record in the log would be lost with it at the next start, synced or not.
    if (this.#failed !== null) throw this.#failed;
    try {
      // Operation by operation: 0.4 us of the main thread each, where an array of them takes 1.
      const batch = this.#level.batch();
      for (const operation of operations) {
        if (operation.kind === 'put') batch.put(operation.key, operation.value);
        else batch.del(operation.key);
      }
      await batch.write({ sync: options.sync });
    } catch (error) {
      throw (this.#failed ??= writingError(error));
    }
  }

  entries(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#entries(range);
  }

  /** Costs nothing by itself; what is written over meanwhile takes disk until the view is closed. */
  pin(): StoreView {
    const snapshot = this.#level.snapshot();
    return {
      get: (key) => this.#get(key, snapshot),
      entries: (range) => this.#entries(range, snapshot),
      close: () => snapshot.close(),
    };
  }

  async compact({ gte, lt }: Required<Pick<KeyRange, 'gte' | 'lt'>>): Promise<void> {
    await this.#level.compactRange(gte, lt).catch((error: unknown) => {
      throw readingError(error);
    });
  }

  async close(): Promise<void> {
    await this.#level.close();
    if (this.#path !== null) opened.delete(this.#path);
  }

  #get(key: Uint8Array, snapshot?: Snapshot): Uint8Array | undefined {
    try {
      const value = snapshot === undefined ? this.#level.getSync(key) : this.#level.getSync(key, { snapshot });
      return value === undefined ? undefined : plain(value);
    } catch (error) {
      throw readingError(error);
    }
  }

  async *#entries(
    range: KeyRange,
    snapshot?: Snapshot,
  ): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void> {
    const iterator = this.#level.iterator({ ...range, snapshot, highWaterMarkBytes: 256 * 1024 });
    try {
      for (;;) {
        const page = await iterator.nextv(ENTRIES_PER_READ).catch((error: unknown) => {
          throw readingError(error);
        });
        if (page.length === 0) return;
        for (const [key, value] of page) yield [plain(key), plain(value)];
      }
    } finally {
      await iterator.close();
    }
  }
}

/** What LevelDB would pass over in silence. */
async function checkFiles(directory: string, create: boolean): Promise<void> {
  let files: string[];
  try {
    files = await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw openingError(directory, error);
    files = [];
  }
  for (const file of files) if (file.endsWith('.log')) await checkLog(directory, file);
  if (files.includes('CURRENT')) return;
  // LevelDB makes a new database where its CURRENT file is missing, even beside the tables of an old one.
  if (files.some((file) => /^(MANIFEST-.*|.*\.(log|ldb|sst))$/.test(file))) {
    throw codedError('store-corrupt', 'the store is half written: it has tables but no CURRENT file', { directory });
  }
  // It would say so itself, and leave a lock and a log of its own in whatever directory this is.
  if (!create) throw codedError('store-missing', 'there is no store in the data directory', { directory });
}

async function checkLog(directory: string, file: string): Promise<void> {
  let log: Uint8Array;
  try {
    log = await readFile(join(directory, file));
  } catch (error) {
    // A process that has the store open deletes a log whose tables are written.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw openingError(directory, error);
  }
  const offset = damageInLog(log);
  if (offset === undefined) return;
  throw codedError(
    'store-corrupt',
    'the log of the store is damaged: a record in it has changed since it was written',
    {
      directory,
      file,
      offset,
    },
  );
}

/** A Buffer is a Uint8Array, but not one that compares, slices or prints like one. */
function plain(value: Uint8Array): Uint8Array {
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function openingError(directory: string, error: unknown): CodedError {
  const { code, message } = rootCause(error);
  const details = { directory, reason: message };
  if (code === 'LEVEL_LOCKED') {
    return codedError('store-locked', 'another process has the data directory open', details, { cause: error });
  }
  if (isDiskFull(message))
    return codedError('store-disk-full', 'no space is left for the store', details, { cause: error });
  if (message.includes('does not exist (create_if_missing is false)') || /LOCK: No such file/.test(message)) {
    return codedError('store-missing', 'there is no store in the data directory', details, { cause: error });
  }
  if (code === 'LEVEL_CORRUPTION' || /No such file/.test(message)) {
    return codedError('store-corrupt', 'the store is damaged or half written', details, { cause: error });
  }
  return codedError('store-open-failed', 'the store cannot be opened', details, { cause: error });
}

function readingError(error: unknown): CodedError {
  const { code, message } = rootCause(error);
  return code === 'LEVEL_CORRUPTION'
    ? codedError('store-corrupt', 'the store is damaged', { reason: message }, { cause: error })
    : codedError('store-read-failed', 'reading from the store failed', { reason: message }, { cause: error });
}

function writingError(error: unknown): CodedError {
  const { message } = rootCause(error);
  return isDiskFull(message)
    ? codedError('store-disk-full', 'no space is left for the store', { reason: message }, { cause: error })
    : codedError('store-write-failed', 'writing to the store failed', { reason: message }, { cause: error });
}

function isDiskFull(message: string): boolean {
  return /no space left|disk quota exceeded/i.test(message);
}

/** abstract-level wraps what LevelDB says in a cause. */
function rootCause(error: unknown): { readonly code: string; readonly message: string } {
  let innermost = error;
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause;
  const code = (innermost as { code?: unknown } | null)?.code;
  return {
    code: typeof code === 'string' ? code : '',
    message: innermost instanceof Error ? innermost.message : String(innermost),
  };
}
