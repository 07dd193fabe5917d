/**
 * Is a data directory whole? Every checksum of every file is computed, every block is decoded, and what can be derived
 * from other things is held against them. Nothing is changed, unless it is asked for; what cannot be derived, blocks and
 * the safety record, is never touched.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, codedError } from '../base/result.ts';
import { BlockLog, readIdentity, type LogIdentity } from '../ledger/block-log.ts';
import { chainIdOf, type Genesis } from '../ledger/genesis.ts';
import { HEAD_KEY, RAFT_LEDGER_KEY } from '../ledger/layout.ts';
import { checkLevelFiles } from '../store/level-files.ts';
import type { LevelStore } from '../store/level-store.ts';
import { ledgerDirectory, openStore as openData } from './open-store.ts';
import { loadLegacy, openStanding } from './raft/ledger-store.ts';
import { isRunning } from './replay/open-source.ts';
import type { LedgerReplayProgress } from './replay.ts';
import { SnapshotFolder } from './snapshot/snapshot-folder.ts';
import { Findings, type Finding } from './verify/finding.ts';
import { checkLog } from './verify/log-checks.ts';
import { checkProjections } from './verify/projection-checks.ts';
import { repair } from './verify/repair.ts';
import { checkChanges, checkSafetyRecord, checkState, checkUncommitted } from './verify/row-checks.ts';

export interface VerifyOptions {
  readonly dataDirectory: string;
  readonly genesis: Genesis;
  /** Derives again what can be derived; otherwise nothing is written. */
  readonly repair: boolean;
  readonly threads: number;
  /** A sentence about what is being done. */
  readonly onNote: (note: string) => void;
  readonly onProgress: (progress: LedgerReplayProgress) => void;
}

export interface VerifyReport {
  readonly checked: {
    readonly files: number;
    readonly bytes: number;
    readonly blocks: number;
    readonly events: number;
    readonly uncommittedBlocks: number;
    readonly safetyRecord: boolean;
  };
  /** Of the head that the log gives; null where there is none. */
  readonly height: number | null;
  readonly firstHeight: number;
  readonly findings: readonly Finding[];
  /** By code; of one code only the first hundred are listed. */
  readonly counts: Readonly<Record<string, number>>;
  /** What was found is repaired, as far as `repair` is not null; it was looked at again, and `remaining` is left. */
  readonly repaired: boolean;
  readonly remaining: readonly Finding[];
}

type Checked = Omit<VerifyReport, 'findings' | 'counts' | 'repaired' | 'remaining'>;

/** So many blocks are read between two notes. */
const BLOCKS_PER_NOTE = 50_000;

/**
 * @throws CodedError `node-already-running`, `store-missing`, `store-locked`; of a repair, those of `replayLedger`
 */
export async function verifyDirectory(options: VerifyOptions): Promise<VerifyReport> {
  const { dataDirectory } = options;
  if (await isRunning(dataDirectory)) {
    throw codedError('node-already-running', 'a node runs on this data directory; stop it first', { dataDirectory });
  }
  const findings = new Findings();
  const checked = await check(options, findings);
  const counts = Object.fromEntries(findings.counts);
  const repairable = findings.all.filter((finding) => finding.repair !== null);
  if (!options.repair || repairable.length === 0) {
    return { ...checked, findings: findings.all, counts, repaired: false, remaining: findings.all };
  }
  for (const finding of repairable) options.onNote(`repairs ${finding.code}: ${finding.repair?.says}`);
  await repairIn(options, repairable);
  options.onNote('looks again');
  const after = new Findings();
  await check(options, after);
  return { ...checked, findings: findings.all, counts, repaired: true, remaining: after.all };
}

async function repairIn(options: VerifyOptions, findings: readonly Finding[]): Promise<void> {
  const { dataDirectory, genesis, onNote, onProgress, threads } = options;
  const store = await openData(dataDirectory, {});
  const into = join(dataDirectory, 'repair');
  try {
    const snapshots = SnapshotFolder.of(dataDirectory);
    await repair(findings, { store, genesis, snapshots, into, onNote, onProgress, threads });
  } finally {
    await store.close();
  }
  await rm(into, { recursive: true, force: true });
}

async function check({ dataDirectory, genesis, onNote }: VerifyOptions, findings: Findings): Promise<Checked> {
  const directory = ledgerDirectory(dataDirectory);
  const { bytes, damaged, files } = await filesOf(directory);
  const nothing = { blocks: 0, events: 0, uncommittedBlocks: 0, safetyRecord: false };
  const unread = { checked: { files, bytes, ...nothing }, height: null, firstHeight: 0 };
  for (const { file, offset } of damaged) {
    findings.addFinding('verify-file-damaged', 'a file of the store has changed since it was written', {
      file,
      offset,
    });
  }
  // Opening a store with a damaged table may write the damage on, under new checksums.
  if (damaged.length > 0) return unread;
  onNote(`the checksums of ${files} files hold`);
  const store = await openStore(dataDirectory, findings);
  if (store === null) return unread;
  try {
    const read = await checkRows(store, genesis, findings, onNote);
    return read === null ? unread : { ...read, checked: { files, bytes, ...read.checked } };
  } finally {
    await store.close();
  }
}

async function filesOf(directory: string): Promise<Awaited<ReturnType<typeof checkLevelFiles>>> {
  try {
    return await checkLevelFiles(directory, () => undefined);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw codedError('store-missing', 'there is no store in the data directory', { directory }, { cause: error });
  }
}

async function openStore(dataDirectory: string, findings: Findings): Promise<LevelStore | null> {
  try {
    return await openData(dataDirectory, {});
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'store-corrupt') throw error;
    findings.addFinding('verify-store-unreadable', 'LevelDB cannot open the store', { because: error.message });
    return null;
  }
}

interface CheckedRows extends Omit<Checked, 'checked'> {
  readonly checked: Omit<Checked['checked'], 'files' | 'bytes'>;
}

/** @returns null where it is not known whose ledger it is */
async function checkRows(
  store: LevelStore,
  genesis: Genesis,
  findings: Findings,
  onNote: (note: string) => void,
): Promise<CheckedRows | null> {
  const identity = await identityIn(store, genesis, findings);
  if (identity === null) return null;
  if (store.get(RAFT_LEDGER_KEY) !== undefined && !(await checkStanding(store, identity, findings))) {
    return {
      checked: { blocks: 0, events: 0, uncommittedBlocks: 0, safetyRecord: false },
      height: null,
      firstHeight: 0,
    };
  }
  const log = await checkLog(store, identity, findings, (height) => {
    if (height > 0 && height % BLOCKS_PER_NOTE === 0) onNote(`read blocks up to height ${height}`);
  });
  const { blocks, events, firstHeight, head } = log;
  if (head !== null) {
    await checkState(store, head, findings);
    await checkChanges(store, identity, head, findings);
    await checkProjections(store, BlockLog.over(store, identity), head, findings);
  }
  const uncommittedBlocks = await checkUncommitted(store, identity, findings);
  const safetyRecord = checkSafetyRecord(store, identity, findings);
  return { checked: { blocks, events, uncommittedBlocks, safetyRecord }, height: head?.height ?? null, firstHeight };
}

async function identityIn(store: LevelStore, genesis: Genesis, findings: Findings): Promise<LogIdentity | null> {
  try {
    const identity = await readIdentity(store);
    if (identity.chainId === chainIdOf(genesis)) return identity;
    throw codedError('chain-mismatch', 'the data directory belongs to another chain', {
      chainId: identity.chainId,
      expected: chainIdOf(genesis),
    });
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'store-corrupt') throw error;
    findings.addFinding('verify-identity-damaged', 'whose ledger it is, is missing or damaged', {
      because: error.message,
    });
    return null;
  }
}

/** Of a member of a Raft cluster. @returns whether it has blocks */
async function checkStanding(store: LevelStore, identity: LogIdentity, findings: Findings): Promise<boolean> {
  try {
    const standing = await openStanding(store, identity);
    if (standing.kind === 'map') await loadLegacy(store, standing.root);
    return standing.kind === 'chain';
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const { code, message } = error;
    findings.addFinding('verify-standing-damaged', 'where the ledger of this Raft member stands is damaged', {
      because: `${code}: ${message}`,
    });
    return store.get(HEAD_KEY) !== undefined;
  }
}
