/**
 * Where a replay puts what it rebuilds: a directory of its own, never what serves. A batch holds the state and the rows
 * of some blocks with the progress that they make, so that a process that was killed at any point has lost the batch
 * under way and nothing else.
 *
 *     replay.json   what is being rebuilt, from what, and how much of it is checked: written before anything else
 *     rebuilt/      the store: state under S, rows of projections under P (generation 0), progress
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { utf8 } from '../../base/bytes.ts';
import { bytes, codec, struct, uint } from '../../base/codec.ts';
import { slicesOf } from '../../base/slices.ts';
import { CodedError, codedError } from '../../base/result.ts';
import { contentOf, withCheck } from '../../ledger/checked-record.ts';
import { blockIdOf, decodeHeader, MAX_HEADER_BYTES, type Block } from '../../ledger/block.ts';
import { loadStateTree } from '../../ledger/block-log.ts';
import type { StateTree, TreeVersion } from '../../ledger/state-tree.ts';
import { LevelStore } from '../../store/level-store.ts';
import type { StoreOperation } from '../../store/store.ts';

const FORMAT = 1;
const DESCRIPTION = 'replay.json';
const PROGRESS_KEY = utf8('Mreplay');
const OPERATIONS_PER_BATCH = 10_000;

const descriptionSchema = z.strictObject({
  format: z.literal(FORMAT),
  chainId: z.string(),
  /** The block that the replay began behind. */
  from: z.strictObject({ kind: z.enum(['genesis', 'base', 'snapshot']), height: z.number(), blockId: z.string() }),
  signatures: z.boolean(),
  seals: z.boolean(),
  /** `name version`, sorted. */
  projections: z.array(z.string()),
});

export type PlaceDescription = Omit<z.infer<typeof descriptionSchema>, 'format'>;

export interface PlaceProgress {
  /** The last block that was replayed. */
  readonly block: Pick<Block, 'header' | 'headerBytes' | 'id'>;
  /** Events up to it. */
  readonly events: number;
}

/** What an earlier run left: the place goes on from here. */
export interface PlaceStanding extends PlaceProgress {
  readonly tree: StateTree;
  readonly version: TreeVersion;
}

const progressCodec = codec(
  struct<{ header: Uint8Array; events: number }>({ header: bytes(MAX_HEADER_BYTES), events: uint() }),
  2 * MAX_HEADER_BYTES,
);

export interface OpenedPlace {
  readonly place: Place;
  /** What is in it begins with this: an earlier run may have begun with more of the log than there is now. */
  readonly from: PlaceDescription['from'];
  /** Null: nothing is in it yet. */
  readonly standing: PlaceStanding | null;
  /** Why what an earlier run left there was thrown away, or null. */
  readonly discarded: string | null;
}

export class Place {
  readonly directory: string;
  readonly store: LevelStore;

  private constructor(directory: string, store: LevelStore) {
    this.directory = directory;
    this.store = store;
  }

  /**
   * Goes on with what is in the directory, or begins anew where that is another thing than what is wanted.
   *
   * @param fits whether the block that an earlier run ended at is one to go on from
   * @throws CodedError `replay-place-foreign`: the directory holds something else; those of `LevelStore.open`
   */
  static async open(
    directory: string,
    wanted: PlaceDescription,
    fits: (progress: PlaceProgress) => Promise<string | null>,
  ): Promise<OpenedPlace> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const found = await foundIn(directory);
    let discarded: string | null = null;
    if (found !== null) {
      const store = await openStore(directory);
      const taken = await takeUp(found, wanted, store, fits);
      if (typeof taken !== 'string' && store !== null && found !== 'unreadable') {
        const { from } = found;
        // From now on it is checked as far as this run checks.
        await describe(directory, { ...wanted, from });
        return { place: new Place(directory, store), from, standing: taken, discarded };
      }
      await store?.close();
      discarded = typeof taken === 'string' ? taken : null;
    }
    return { place: await Place.#begin(directory, wanted), from: wanted.from, standing: null, discarded };
  }

  static async #begin(directory: string, wanted: PlaceDescription): Promise<Place> {
    // A description first: without one a directory is not ours to clear.
    await describe(directory, wanted);
    await rm(storeIn(directory), { recursive: true, force: true });
    return new Place(directory, await LevelStore.open(storeIn(directory), { create: true, threads: true }));
  }

  /** Of the store, for threads that join it while it is empty. */
  get storeDirectory(): string {
    return storeIn(this.directory);
  }

  /** All in one batch. @param sync at the end, so that a place that counts as whole survives a power cut */
  write(operations: readonly StoreOperation[], { block, events }: PlaceProgress, sync = false): Promise<void> {
    const value = withCheck(progressCodec.encode({ header: block.headerBytes, events }));
    return this.store.batch([...operations, { kind: 'put', key: PROGRESS_KEY, value }], { sync });
  }

  /** Operations that may be many, before there is any progress. */
  async fill(operations: readonly StoreOperation[]): Promise<void> {
    for (const part of slicesOf(operations, OPERATIONS_PER_BATCH)) await this.store.batch(part, { sync: false });
  }

  async close(): Promise<void> {
    await this.store.close();
  }

  /** Closes it, and leaves nothing. */
  async remove(): Promise<void> {
    await this.store.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

function storeIn(directory: string): string {
  return join(directory, 'rebuilt');
}

/** Under another name first: there is a whole description or none. */
async function describe(directory: string, description: PlaceDescription): Promise<void> {
  const file = join(directory, DESCRIPTION);
  await writeFile(`${file}.new`, `${JSON.stringify({ format: FORMAT, ...description }, null, 2)}\n`);
  await rename(`${file}.new`, file);
}

/** @returns null of a directory that has nothing in it; `unreadable` of a description that this program cannot read */
async function foundIn(directory: string): Promise<PlaceDescription | 'unreadable' | null> {
  const files = await readdir(directory);
  if (files.every((file) => file === `${DESCRIPTION}.new`)) return null;
  if (!files.includes(DESCRIPTION)) {
    throw codedError('replay-place-foreign', 'the directory to rebuild in holds something else', { directory });
  }
  try {
    const parsed = descriptionSchema.safeParse(JSON.parse(await readFile(join(directory, DESCRIPTION), 'utf8')));
    return parsed.success ? parsed.data : 'unreadable';
  } catch (error) {
    if (error instanceof SyntaxError) return 'unreadable';
    throw error;
  }
}

/** @returns null where there is none, or a damaged one */
async function openStore(directory: string): Promise<LevelStore | null> {
  try {
    return await LevelStore.open(storeIn(directory));
  } catch (error) {
    if (error instanceof CodedError && ['store-corrupt', 'store-missing'].includes(error.code)) return null;
    throw error;
  }
}

/** @returns the reason why not, as text */
async function takeUp(
  found: PlaceDescription | 'unreadable',
  wanted: PlaceDescription,
  store: LevelStore | null,
  fits: (progress: PlaceProgress) => Promise<string | null>,
): Promise<PlaceStanding | string> {
  if (found === 'unreadable') return 'it was written by another version of the program';
  if (store === null) return 'its store is missing or damaged';
  const different = differenceOf(found, wanted);
  if (different !== null) return different;
  const progress = progressIn(store);
  if (progress === null) return 'it ended before its first batch';
  const unfit = await fits(progress);
  if (unfit !== null) return unfit;
  const { tree, version } = await loadStateTree(store);
  if (version.root !== progress.block.header.stateRoot) return 'its state is damaged';
  return { ...progress, tree, version };
}

function differenceOf(found: PlaceDescription, wanted: PlaceDescription): string | null {
  if (found.chainId !== wanted.chainId) return 'it is of another chain';
  // With more of the log than there is now: what was before the snapshot was executed, too.
  const beganBefore = found.from.height < wanted.from.height;
  if (!beganBefore && JSON.stringify(found.from) !== JSON.stringify(wanted.from)) return 'it began from another block';
  if (found.projections.join() !== wanted.projections.join()) return 'it is of other projections';
  const isWeaker = (wanted.seals && !found.seals) || (wanted.signatures && !found.signatures);
  return isWeaker ? 'less of it was verified than is asked for now' : null;
}

function progressIn(store: LevelStore): PlaceProgress | null {
  const written = store.get(PROGRESS_KEY);
  const content = written === undefined ? null : contentOf(written);
  const decoded = content === null ? null : progressCodec.decode(content);
  const header = decoded?.ok === true ? decodeHeader(decoded.value.header) : null;
  if (decoded?.ok !== true || header?.ok !== true) return null;
  const { events, header: headerBytes } = decoded.value;
  return { block: { id: blockIdOf(headerBytes), header: header.value, headerBytes }, events };
}
