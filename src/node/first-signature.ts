/**
 * May this validator sign at all? A safety record says what it signed before; without one, only a key that was never
 * used may begin. So the program that makes a BLS key leaves a mark beside it, and the first start trades the mark for
 * a safety record. A disk that was lost, or a directory that was emptied, has neither: that validator follows and
 * answers reads, and never signs with this key again (Chandra and others, "Paxos Made Live", section 5.1, on disks
 * that come back empty).
 */
import { refuse, type Refusal } from '../base/result.ts';
import {
  decodeSafetyRecord,
  encodeSafetyRecord,
  firstSafetyRecord,
  type SafetyRecord,
} from '../hotstuff/safety-record.ts';
import { safetyRecordOps } from '../ledger/block-log.ts';
import type { VerifiedCertificate } from '../qc/certificate.ts';
import type { Mark } from './mark-file.ts';
import type { OpenLedger } from './open-ledger.ts';

export interface MayItSign {
  readonly record: SafetyRecord | null;
  /** Why not, or null. */
  readonly silence: Refusal | null;
}

/** Reads the safety record, or makes the first one where the key was never used. */
export async function maySign(
  ledger: OpenLedger,
  mark: Mark,
  genesisCertificate: VerifiedCertificate,
): Promise<MayItSign> {
  const written = ledger.log.safetyRecord();
  if (written !== undefined) {
    await mark.remove();
    const record = decodeSafetyRecord(written);
    return record.ok ? { record: record.value, silence: null } : { record: null, silence: record.refusal };
  }
  if (!(await mark.isThere())) {
    return {
      record: null,
      silence: refuse(
        'safety-record-missing',
        'the data directory has no safety record, so what this key signed is unknown; the validator follows without ' +
          'signing. Put the directory back, or have the other validators replace the key',
      ).refusal,
    };
  }
  const record = firstSafetyRecord(genesisCertificate);
  await ledger.store.batch(safetyRecordOps(encodeSafetyRecord(record)), { sync: true });
  await mark.remove();
  return { record, silence: null };
}
