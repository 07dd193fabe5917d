/**
 * The check of what an `evidenceRecorded` event carries: part of its admission, like its signature. Anybody can send
 * such an event, and two pairings are dear, so everything that is cheap is asked first.
 */
import { fromBase64 } from '../base/base64.ts';
import { assert } from '../base/assert.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { EvidenceRecordedEvent } from '../ledger/event-schema.ts';
import { evidenceCodec } from '../qc/evidence.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';
import type { Verifier } from './verification-pool.ts';

/**
 * Refusals: `not-a-validator`, `evidence-malformed`, `evidence-mismatch` (all as `applyEvent` would), those of
 * `verifyEvidence`, and `verification-busy`.
 */
export async function checkEvidence(
  { epoch, evidence, offender, peerId }: EvidenceRecordedEvent,
  validators: ValidatorSet,
  verifier: Verifier,
): Promise<Result<void>> {
  if (validators.indexOf(peerId) === undefined) {
    return refuse('not-a-validator', 'only validators record evidence', { peerId });
  }
  const bytes = fromBase64(evidence);
  assert(bytes !== undefined, 'a checked event carries base64', { peerId });
  const decoded = evidenceCodec.decode(bytes);
  if (!decoded.ok) {
    return refuse('evidence-malformed', 'the evidence does not decode', { reason: decoded.refusal.code });
  }
  if (decoded.value.epoch !== epoch || validators.indexOf(offender) !== decoded.value.offender) {
    const message = 'the evidence is about another validator or epoch than its event says';
    return refuse('evidence-mismatch', message, { offender, epoch });
  }
  const checked = await verifier.run({ kind: 'evidence', evidence: decoded.value }, 'bulk');
  if (!checked.ok) return checked;
  assert(checked.value.kind === 'checked', 'a check is answered with its result');
  return checked.value.result.ok ? ok(undefined) : checked.value.result;
}
