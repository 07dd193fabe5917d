/**
 * The brand of an event that may be executed. Nothing but this function makes one, and a lint rule restricts its
 * import to admission, replay and tests.
 */
import type { SignedEvent } from './event.ts';

declare const signatureVerified: unique symbol;

/**
 * An event whose signature is that of its `peerId` over its signing bytes, and whose evidence, when it carries any,
 * proves what it says.
 */
export interface VerifiedEvent extends SignedEvent {
  readonly [signatureVerified]: true;
}

/**
 * @param proof `signature-checked`: the caller verified the signature (and `evidence` of an `evidenceRecorded`);
 *   `own-log`: the event was read from this node's block log or a block that a quorum certified, so it was verified
 *   before it was voted for; or a Raft log has committed it, whose leader verified it
 */
export function verifiedEvent(event: SignedEvent, _proof: 'signature-checked' | 'own-log'): VerifiedEvent {
  return event as VerifiedEvent;
}
