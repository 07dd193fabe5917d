/**
 * A ledger that was restored from a snapshot takes the place of one that cannot go on, as the blocks behind it are pruned
 * everywhere. Until the new one is whole the old one lies untouched; then the validator's safety record goes over byte for
 * byte, with the evidence, and the two change places by renames. What lies where says how far it came:
 *
 *     ledger, rejoining/ledger, rejoining/joining    the snapshot is being fetched and restored
 *     ledger, rejoining/ledger                       the new one is whole: what was signed is carried over
 *     rejoining/before, rejoining/ledger             the old one has left its place
 *     rejoining/before, ledger                       the new one is there
 *     rejoined                                       nothing but what is to be removed
 *
 * The record is read from the old ledger again each time it is carried over, as an older program may have run it between.
 */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codedError, refuse, type Refusal } from '../../base/result.ts';
import { decodeSafetyRecord } from '../../hotstuff/safety-record.ts';
import { decodeStoredBlock } from '../../hotstuff/stored-block.ts';
import { BlockLog, evidenceOps, safetyRecordOps, type LogIdentity } from '../../ledger/block-log.ts';
import { SAFETY_KEY } from '../../ledger/layout.ts';
import { LevelStore } from '../../store/level-store.ts';
import type { NodeConfig } from '../config.ts';
import { ledgerDirectory } from '../open-store.ts';
import { SnapshotFolder, snapshotsDirectory, syncFolder } from '../snapshot/snapshot-folder.ts';

/** An old ledger whose blocks nobody is to lose. */
const SET_ASIDE = /^ledger-until-\d+$/;

export interface LedgerSwapOptions {
  readonly dataDirectory: string;
  readonly pruning: Pick<NodeConfig['pruning'], 'policy'>;
}

export class LedgerSwap {
  /** Where the new ledger is made, as in a data directory of its own. */
  readonly newDirectory: string;
  readonly #options: LedgerSwapOptions;
  readonly #before: string;
  readonly #done: string;

  constructor(options: LedgerSwapOptions) {
    const { dataDirectory } = options;
    this.#options = options;
    this.newDirectory = join(dataDirectory, 'rejoining');
    this.#before = join(this.newDirectory, 'before');
    this.#done = join(dataDirectory, 'rejoined');
  }

  /** Also clears away what an earlier one left to be removed. */
  async isUnderWay(): Promise<boolean> {
    await rm(this.#done, { recursive: true, force: true });
    return isThere(this.newDirectory);
  }

  async begin(): Promise<void> {
    await mkdir(this.newDirectory, { recursive: true, mode: 0o700 });
    await syncFolder(this.#options.dataDirectory);
  }

  /** Whether the new ledger has all of its state; then nobody is asked for anything any more. */
  async isWhole(): Promise<boolean> {
    if (await isThere(this.#before)) return true;
    return (await isStore(ledgerDirectory(this.newDirectory))) && !(await isThere(join(this.newDirectory, 'joining')));
  }

  /** Of the old ledger. @throws CodedError of `BlockLog.open` */
  ownHeight(identity: LogIdentity): Promise<number> {
    return withLog(ledgerDirectory(this.#options.dataDirectory), identity, async (log) => log.head().height);
  }

  /**
   * Goes on from wherever it is to the end.
   *
   * @returns why the old ledger stays, which then is as it was; else null
   * @throws CodedError `join-write-failed`, and those of `BlockLog.open` for either ledger
   */
  async finish(identity: LogIdentity): Promise<Refusal | null> {
    const ledger = ledgerDirectory(this.#options.dataDirectory);
    const made = ledgerDirectory(this.newDirectory);
    try {
      if (await isStore(made)) {
        const hasLeft = await isThere(this.#before);
        const refusal = await carryOver(hasLeft ? this.#before : ledger, made, identity);
        if (refusal !== null) {
          await this.discard();
          return refusal;
        }
        if (!hasLeft) await this.#move(ledger, this.#before);
        await this.#move(made, ledger);
      }
      await this.#takeSnapshots();
      await this.#putAway(identity);
      await this.discard();
      return null;
    } catch (error) {
      if (!isOfTheSystem(error)) throw error;
      throw codedError(
        'join-write-failed',
        'the ledger from the snapshot could not take its place; the next start goes on with it',
        { reason: error.message },
        { cause: error },
      );
    }
  }

  /** What is there of the new ledger goes. Only while the old one is in its place, or after the new one is. */
  async discard(): Promise<void> {
    if (!(await isThere(this.newDirectory))) return;
    // A removal that is cut off must not look like a join that is under way.
    await rename(this.newDirectory, this.#done);
    await syncFolder(this.#options.dataDirectory);
    await rm(this.#done, { recursive: true, force: true });
  }

  async #move(from: string, to: string): Promise<void> {
    await rename(from, to);
    await syncFolder(this.newDirectory);
    await syncFolder(this.#options.dataDirectory);
  }

  /** The log of the new ledger begins at one of them. */
  async #takeSnapshots(): Promise<void> {
    const [from, to] = [this.newDirectory, this.#options.dataDirectory].map((directory) =>
      SnapshotFolder.of(directory),
    );
    if (from === undefined || to === undefined) return;
    const there = await to.heights();
    for (const height of await from.heights()) {
      if (there.includes(height)) continue;
      await mkdir(to.directory, { recursive: true, mode: 0o700 });
      await rename(from.pathOf(height), to.pathOf(height));
      await syncFolder(snapshotsDirectory(this.#options.dataDirectory));
    }
  }

  /** A node that keeps all blocks has some that may be nowhere else. What it signed is in the new ledger alone. */
  async #putAway(identity: LogIdentity): Promise<void> {
    const { dataDirectory, pruning } = this.#options;
    if (pruning.policy !== 'all' || !(await isStore(this.#before))) return;
    const height = await withLog(this.#before, identity, async (log, store) => {
      await store.batch([{ kind: 'delete', key: SAFETY_KEY }], { sync: true });
      return log.head().height;
    });
    if (height > 0) await this.#move(this.#before, join(dataDirectory, `ledger-until-${height}`));
  }
}

/** Ledgers that were set aside by this: as long as one is there, no other is. */
export async function ledgersSetAside(dataDirectory: string): Promise<readonly string[]> {
  return (await readdir(dataDirectory)).filter((name) => SET_ASIDE.test(name));
}

/**
 * What this validator signed, and what it knows of others that signed twice. No block that others may need of it is lost
 * with the old ledger: each that it voted for is of the round of the snapshot's or an earlier one, so it is committed
 * below, or never will be. docs/SAFETY.md has the argument.
 */
async function carryOver(from: string, to: string, identity: LogIdentity): Promise<Refusal | null> {
  if (!(await isStore(from))) return null;
  const old = await withLog(from, identity, oldLedger);
  return withLog(to, identity, async (log, store) => {
    const { height } = log.head();
    const round = log.sealedBlockAt(height)?.block.header.round ?? 0;
    const refusal = whyNot(old, { height, round });
    if (refusal !== null) return refusal;
    const operations = [
      ...(old.record === undefined ? [] : safetyRecordOps(old.record)),
      ...old.evidence.flatMap(({ bytes, epoch, offender }) => evidenceOps(epoch, offender, bytes)),
    ];
    await store.batch(operations, { sync: true });
    return null;
  });
}

interface OldLedger {
  readonly height: number;
  readonly record: Uint8Array | undefined;
  readonly evidence: Awaited<ReturnType<BlockLog['evidence']>>;
  /** The highest of a block that this validator voted for, or proposed; 0 where it did neither. */
  readonly votedRound: number;
}

async function oldLedger(log: BlockLog): Promise<OldLedger> {
  const record = log.safetyRecord();
  const decoded = record === undefined ? undefined : decodeSafetyRecord(record);
  const lastVote = decoded?.ok === true ? decoded.value.lastVote : null;
  const rounds = (await log.uncommitted()).map(({ bytes }) => {
    const stored = decodeStoredBlock(log.chainId, bytes);
    return stored.ok ? stored.value.block.header.round : 0;
  });
  return {
    height: log.head().height,
    record,
    evidence: await log.evidence(),
    votedRound: Math.max(lastVote?.round ?? 0, ...rounds),
  };
}

function whyNot(old: OldLedger, snapshot: { readonly height: number; readonly round: number }): Refusal | null {
  if (snapshot.height <= old.height) {
    return refuse('snapshot-behind', 'the snapshot is no newer than the ledger of this node', {
      height: snapshot.height,
      ownHeight: old.height,
    }).refusal;
  }
  if (old.votedRound <= snapshot.round) return null;
  return refuse('voted-after-snapshot', 'this validator voted for blocks that others may need of it', {
    votedRound: old.votedRound,
    snapshotRound: snapshot.round,
    height: snapshot.height,
  }).refusal;
}

async function withLog<T>(
  directory: string,
  identity: LogIdentity,
  use: (log: BlockLog, store: LevelStore) => Promise<T>,
): Promise<T> {
  const store = await LevelStore.open(directory);
  try {
    return await use(await BlockLog.open(store, identity), store);
  } finally {
    await store.close();
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** LevelDB's own file, which is there from the first moment on. */
function isStore(directory: string): Promise<boolean> {
  return isThere(join(directory, 'CURRENT'));
}

function isOfTheSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
