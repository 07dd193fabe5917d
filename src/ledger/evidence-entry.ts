/** Evidence in the ledger: that a validator signed two different ballots for one round, once a validator and epoch. */
import { fromBase64 } from '../base/base64.ts';
import { assert } from '../base/assert.ts';
import { codec, hash, struct, text, uint } from '../base/codec.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { evidenceCodec } from '../qc/evidence.ts';
import type { BlockContext } from './block-context.ts';
import type { EvidenceRecordedEvent } from './event-schema.ts';
import { MAX_PEER_ID_LENGTH } from './identity.ts';
import { memberOf, wrongEpoch } from './quorum-actions.ts';
import { evidenceKey, type Overlay } from './state.ts';

export interface EvidenceEntry {
  readonly reporter: string;
  /** The event that carries the evidence itself. */
  readonly event: Hash;
  /** SHA-256 of the encoded evidence. */
  readonly digest: Hash;
  readonly height: number;
}

export const evidenceEntryCodec = codec(
  struct<EvidenceEntry>({ reporter: text(MAX_PEER_ID_LENGTH), event: hash, digest: hash, height: uint() }),
  256,
);

/**
 * The ballots' signatures were verified at admission (`VerifiedEvent`); here is the rest.
 *
 * Refusals: `not-a-validator`, `wrong-epoch`, `evidence-malformed`, `evidence-mismatch`, `evidence-known`.
 */
export function recordEvidence(
  overlay: Overlay,
  event: EvidenceRecordedEvent,
  eventId: Hash,
  context: BlockContext,
): Result<void> {
  const reporter = memberOf(context, event.peerId);
  if (!reporter.ok) return reporter;
  if (event.epoch !== context.epoch) return wrongEpoch(event.epoch, context);
  const bytes = fromBase64(event.evidence);
  assert(bytes !== undefined, 'a checked event carries base64', { event: eventId });
  const evidence = evidenceCodec.decode(bytes);
  if (!evidence.ok) {
    return refuse('evidence-malformed', 'the evidence does not decode', { reason: evidence.refusal.code });
  }
  const offender = context.validators.indexOf(event.offender);
  if (evidence.value.epoch !== event.epoch || evidence.value.offender !== offender) {
    return refuse('evidence-mismatch', 'the evidence is about another validator or epoch than its event says', {
      offender: event.offender,
      epoch: event.epoch,
    });
  }
  const key = evidenceKey(event.epoch, event.offender);
  if (overlay.get(key) !== undefined) {
    return refuse('evidence-known', 'the ledger already has evidence against this validator in this epoch', {
      offender: event.offender,
      epoch: event.epoch,
    });
  }
  const entry = { reporter: event.peerId, event: eventId, digest: sha256Hex(bytes), height: context.height };
  overlay.set(key, evidenceEntryCodec.encode(entry));
  return ok(undefined);
}
