/** Nobody who keeps the rules is ever proved to have broken them. */
import { EVIDENCE_RANGE, fromBigEndian } from '../../../src/ledger/layout.ts';
import type { SimulatedDisk } from '../simulated-disk.ts';
import type { Report } from './violation.ts';

/** @param isFaulty by index in the set */
export function checkEvidence(
  { disk, id }: { readonly id: number; readonly disk: SimulatedDisk },
  isFaulty: (validator: number) => boolean,
  report: Report,
): void {
  for (const [key] of disk.entries(EVIDENCE_RANGE)) {
    const offender = fromBigEndian(key.subarray(9));
    if (isFaulty(offender)) continue;
    report({ checker: 'evidence', message: 'evidence is against who broke the rules', details: { by: id, offender } });
  }
}
