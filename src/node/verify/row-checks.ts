/** What lies beside the log: state, changes that wait for projections, blocks that are not committed, the safety record. */
import { CodedError } from '../../base/result.ts';
import { toHex } from '../../base/bytes.ts';
import { decodeSafetyRecord } from '../../hotstuff/safety-record.ts';
import { decodeStoredBlock } from '../../hotstuff/stored-block.ts';
import { BlockLog, loadStateTree, type LogIdentity } from '../../ledger/block-log.ts';
import { CHANGES_RANGE, fromBigEndian } from '../../ledger/layout.ts';
import type { Head } from '../../ledger/machine.ts';
import type { Store } from '../../store/store.ts';
import type { Findings, Repair } from './finding.ts';

const FROM_LOG = { kind: 'replay', says: 'execute the log again, and write what differs', what: 'state' } as const;

/** @returns entries of the state */
export async function checkState(store: Store, { height, stateRoot }: Head, findings: Findings): Promise<void> {
  try {
    const { version } = await loadStateTree(store);
    if (version.root === stateRoot) return;
    const details = { height, named: stateRoot, computed: version.root };
    findings.addFinding('verify-state-differs', 'the state is not that of the head', details, FROM_LOG);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    findings.addFinding(
      'verify-state-differs',
      'the state is not that of the head',
      { height, because: error.message },
      FROM_LOG,
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
