/**
 * Is a data directory whole? Every checksum of every file is computed, every block is decoded, and what can be derived
 * from other things is held against them. Nothing is changed, unless it is asked for; what cannot be derived, blocks and
 * the safety record, is never touched.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, codedError, unwrap } from '../base/result.ts';
import { BlockLog, readIdentity, type LogIdentity } from '../ledger/block-log.ts';
import { chainIdOf, type Genesis } from '../ledger/genesis.ts';
import { genesisState } from '../ledger/genesis-state.ts';
import { HEAD_KEY, RAFT_LEDGER_KEY } from '../ledger/layout.ts';
import { genesisCertificate } from '../qc/certificate.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import { makeValidatorSet } from '../qc/validator-set.ts';
import { checkLevelFiles } from '../store/level-files.ts';
import type { LevelStore } from '../store/level-store.ts';
import { ledgerDirectory, openStore as openData } from './open-store.ts';
import { loadLegacy, openStanding } from './raft/ledger-store.ts';
import { raftSnapshotsDirectory } from './raft/snapshot-files.ts';
import { isRunning } from './replay/open-source.ts';
import type { LedgerReplayProgress } from './replay.ts';
import { SnapshotFolder } from './snapshot/snapshot-folder.ts';
import { Findings, type Finding, type Repair } from './verify/finding.ts';
import { checkLog } from './verify/log-checks.ts';
import { checkProjections } from './verify/projection-checks.ts';
import { checkRaft } from './verify/raft-checks.ts';
import { repair } from './verify/repair.ts';
import { checkSnapshots } from './verify/snapshot-checks.ts';
import { checkChanges, checkEvidence, checkSafetyRecord, checkState, checkUncommitted } from './verify/row-checks.ts';

export interface VerifyOptions {
  readonly dataDirectory: string;
  readonly genesis: Genesis;
  /** Derives again what can be derived; otherwise nothing is written. */
  readonly repair: boolean;
  readonly threads: number;
  /** Kept in memory at once; left out: `MAX_REPAIRS_AT_ONCE`. */
  readonly maxRepairs?: number;
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
    readonly snapshots: number;
    /** Pieces of evidence against validators. */
    readonly evidence: number;
    /** Entries of the log of Raft; null: there is none, or it is damaged. */
    readonly raftEntries: number | null;
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
  /** By code, as `counts`. */
  readonly remainingCounts: Readonly<Record<string, number>>;
}

type Checked = Omit<VerifyReport, 'findings' | 'counts' | 'repaired' | 'remaining' | 'remainingCounts'>;

/** So many blocks are read between two notes. */
const BLOCKS_PER_NOTE = 50_000;

/** Of looking and repairing: ten million findings. */
const MAX_ROUNDS = 100;

/**
 * @throws CodedError `node-already-running`, `store-missing`, `store-locked`; of a repair, those of `replayLedger`
 */
export async function verifyDirectory(options: VerifyOptions): Promise<VerifyReport> {
  const { dataDirectory } = options;
  if (await isRunning(dataDirectory)) {
    throw codedError('node-already-running', 'a node runs on this data directory; stop it first', { dataDirectory });
  }
  const found = new Findings(options.maxRepairs);
  const checked = await check(options, found);
  const report = { ...checked, findings: found.all, counts: Object.fromEntries(found.counts) };
  const isRepairing = options.repair && found.repairs.length > 0;
  const left = isRepairing ? await repairAll(options, found) : found;
  const remainingCounts = Object.fromEntries(left.counts);
  return { ...report, repaired: isRepairing, remaining: left.all, remainingCounts };
}

/** Until nothing is left that can be repaired, or what was made changes nothing. @returns what is left */
async function repairAll(options: VerifyOptions, found: Findings): Promise<Findings> {
  const { onNote } = options;
  let left = found;
  for (let round = 0; round < MAX_ROUNDS && left.repairs.length > 0; round++) {
    tellRepairs(left, onNote);
    await repairIn(options, left.repairs);
    onNote('looks again');
    const before = left;
    left = new Findings(options.maxRepairs);
    await check(options, left);
    if (left.equals(before)) break;
  }
  return left;
}

function tellRepairs({ all, repairs }: Findings, onNote: VerifyOptions['onNote']): void {
  const told = all.filter((finding) => finding.repair !== null);
  for (const { code, repair } of told) onNote(`repairs ${code}: ${repair?.says}`);
  if (repairs.length > told.length) onNote(`and ${repairs.length - told.length} more of these`);
}

async function repairIn(options: VerifyOptions, repairs: readonly Repair[]): Promise<void> {
  const { dataDirectory, genesis, onNote, onProgress, threads } = options;
  const store = await openData(dataDirectory, {});
  const into = join(dataDirectory, 'repair');
  try {
    await repair(repairs, { store, genesis, dataDirectory, into, onNote, onProgress, threads });
  } finally {
    await store.close();
  }
  await rm(into, { recursive: true, force: true });
}

async function check(options: VerifyOptions, findings: Findings): Promise<Checked> {
  const { dataDirectory, onNote } = options;
  const directory = ledgerDirectory(dataDirectory);
  const { bytes, damaged, files } = await filesOf(directory);
  const unread = { checked: { files, bytes, ...NOTHING }, height: null, firstHeight: 0 };
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
    const read = await checkRows(store, options, findings);
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

type RowCounts = Omit<Checked['checked'], 'files' | 'bytes'>;

interface CheckedRows extends Omit<Checked, 'checked'> {
  readonly checked: RowCounts;
}

const NOTHING: RowCounts = {
  blocks: 0,
  events: 0,
  uncommittedBlocks: 0,
  safetyRecord: false,
  snapshots: 0,
  evidence: 0,
  raftEntries: null,
};

/** @returns null where it is not known whose ledger it is */
async function checkRows(store: LevelStore, options: VerifyOptions, findings: Findings): Promise<CheckedRows | null> {
  const { dataDirectory, genesis } = options;
  const identity = await identityIn(store, genesis, findings);
  if (identity === null) return null;
  const isRaft = store.get(RAFT_LEDGER_KEY) !== undefined;
  const folder = raftSnapshotsDirectory(dataDirectory);
  const raftEntries = isRaft ? await checkRaft(store, folder, findings) : null;
  if (isRaft && !(await checkStanding(store, identity, findings))) {
    return { checked: { ...NOTHING, raftEntries }, height: null, firstHeight: 0 };
  }
  return checkChain(store, identity, { ...options, raftEntries }, findings);
}

async function checkChain(
  store: LevelStore,
  identity: LogIdentity,
  options: VerifyOptions & Pick<RowCounts, 'raftEntries'>,
  findings: Findings,
): Promise<CheckedRows> {
  const { dataDirectory, genesis, onNote, raftEntries, threads } = options;
  const walked = await checkLog(store, identity, findings, (height) => {
    if (height > 0 && height % BLOCKS_PER_NOTE === 0) onNote(`read blocks up to height ${height}`);
  });
  const { blocks, events, firstHeight, head } = walked;
  const log = BlockLog.over(store, identity);
  if (head !== null) {
    await checkState(store, head, firstHeight, findings);
    await checkChanges(store, identity, head, findings);
    await checkProjections(store, log, { head, firstHeight }, findings);
  }
  const folder = SnapshotFolder.of(dataDirectory);
  const snapshots = await checkSnapshots({ folder, genesis, log, heights: walked, threads, onNote }, findings);
  const { scheme } = await loadDefaultScheme();
  const validators = unwrap(makeValidatorSet(0, genesis.validators, scheme));
  const context = {
    chainId: identity.chainId,
    validators,
    genesis: genesisCertificate(0, genesisState(genesis).block.id),
  };
  const evidence = await checkEvidence(store, context, scheme, findings);
  const uncommittedBlocks = await checkUncommitted(store, identity, findings);
  const safetyRecord = checkSafetyRecord(store, identity, findings);
  const checked = { blocks, events, uncommittedBlocks, safetyRecord, snapshots, evidence, raftEntries };
  return { checked, height: head?.height ?? null, firstHeight };
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
