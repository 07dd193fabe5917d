/** What lies beside the log: state, changes that wait for projections, blocks that are not committed, the safety record. */
import { CodedError } from '../../base/result.ts';
import { equalBytes, toHex } from '../../base/bytes.ts';
import { decodeSafetyRecord } from '../../hotstuff/safety-record.ts';
import { decodeStoredBlock } from '../../hotstuff/stored-block.ts';
import { BlockLog, loadStateTree, type LogIdentity } from '../../ledger/block-log.ts';
import { CHANGES_RANGE, EVIDENCE_RANGE, evidenceKeyOf, fromBigEndian } from '../../ledger/layout.ts';
import type { Head } from '../../ledger/machine.ts';
import type { EpochContext } from '../../qc/certificate.ts';
import { evidenceCodec } from '../../qc/evidence.ts';
import type { SignatureScheme } from '../../qc/scheme.ts';
import type { Store } from '../../store/store.ts';
import { runVerificationJob } from '../verification-jobs.ts';
import type { Findings, Repair } from './finding.ts';

/** @param firstHeight of the log: above 0 it is executed from a snapshot on */
export async function checkState(
  store: Store,
  { height, stateRoot }: Head,
  firstHeight: number,
  findings: Findings,
): Promise<void> {
  const from = firstHeight === 0 ? '' : ' from a snapshot on';
  const repair: Repair = {
    kind: 'replay',
    says: `execute the log again${from}, and write what differs`,
    what: 'state',
  };
  try {
    const { version } = await loadStateTree(store);
    if (version.root === stateRoot) return;
    const details = { height, named: stateRoot, computed: version.root };
    findings.addFinding('verify-state-differs', 'the state is not that of the head', details, repair);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    findings.addFinding(
      'verify-state-differs',
      'the state is not that of the head',
      { height, because: error.message },
      repair,
    );
  }
}

/** Nobody needs those that every projection has seen, and a projection whose changes are damaged is built from the log. */
export async function checkChanges(store: Store, identity: LogIdentity, head: Head, findings: Findings): Promise<void> {
  const log = BlockLog.over(store, identity);
  for await (const [key] of store.entries(CHANGES_RANGE)) {
    const height = key.length === 9 ? fromBigEndian(key.subarray(1)) : -1;
    const operations = [{ kind: 'delete', key: key.slice() }] as const;
    const repair: Repair = {
      kind: 'operations',
      says: 'delete them; the projections are built from the log',
      operations,
    };
    if (height < 0 || height > head.height) {
      findings.addFinding(
        'verify-changes-orphan',
        'there are changes of a block that is not in the log',
        { height },
        repair,
      );
      continue;
    }
    try {
      log.changesAt(height);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      findings.addFinding('verify-changes-damaged', 'the changes of a block have changed', { height }, repair);
    }
  }
}

/** A vote may stand on such a block, so nothing takes its place. */
export async function checkUncommitted(store: Store, identity: LogIdentity, findings: Findings): Promise<number> {
  const log = BlockLog.over(store, identity);
  let blocks = 0;
  try {
    for (const { bytes, id } of await log.uncommitted()) {
      blocks++;
      const decoded = decodeStoredBlock(identity.chainId, bytes);
      if (decoded.ok && decoded.value.block.id === id) continue;
      const because = decoded.ok ? 'it is another block' : decoded.refusal.code;
      findings.addFinding('verify-uncommitted-damaged', 'a block that is not committed has changed', { id, because });
    }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    findings.addFinding('verify-uncommitted-damaged', 'the id of a block that is not committed is none', {
      because: error.message,
    });
  }
  return blocks;
}

/** What a validator was seen to sign twice. @returns how many pieces */
export async function checkEvidence(
  store: Store,
  context: EpochContext,
  scheme: SignatureScheme,
  findings: Findings,
): Promise<number> {
  let pieces = 0;
  for await (const [key, bytes] of store.entries(EVIDENCE_RANGE)) {
    pieces++;
    const because = faultOf(key, bytes, context, scheme);
    if (because === null) continue;
    const operations = [{ kind: 'delete', key: key.slice() }] as const;
    const message = 'a piece of evidence against a validator proves nothing';
    const repair: Repair = { kind: 'operations', says: 'delete it', operations };
    findings.addFinding('verify-evidence-damaged', message, { key: toHex(key), because }, repair);
  }
  return pieces;
}

function faultOf(key: Uint8Array, bytes: Uint8Array, context: EpochContext, scheme: SignatureScheme): string | null {
  const decoded = evidenceCodec.decode(bytes);
  if (!decoded.ok) return decoded.refusal.code;
  const { value: evidence } = decoded;
  if (!equalBytes(evidenceKeyOf(evidence.epoch, evidence.offender), key)) return 'it is about another validator';
  const outcome = runVerificationJob({ kind: 'evidence', evidence }, context, scheme);
  return outcome.kind === 'checked' && !outcome.result.ok ? outcome.result.refusal.code : null;
}

/** @returns whether there is one */
export function checkSafetyRecord(store: Store, identity: LogIdentity, findings: Findings): boolean {
  const record = BlockLog.over(store, identity).safetyRecord();
  if (record === undefined) return false;
  const decoded = decodeSafetyRecord(record);
  if (!decoded.ok) {
    const { details, message } = decoded.refusal;
    findings.addFinding('verify-safety-record-damaged', message, { ...details, bytes: toHex(record.subarray(0, 64)) });
  }
  return true;
}
