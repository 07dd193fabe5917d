/**
 * The votes after which there is nothing left to agree on.
 *
 *     B1 <--- B2      B1 holds the last events, B2 is the empty block that commits it; nobody will propose on B2, so its
 *     events  empty   certificate travels by itself
 *
 * When the next leader alone makes that certificate, the others get it one message and one verification later. Where n
 * is small these votes go to all, and everybody makes the certificate: as many pairings in all (each would have to
 * verify it anyway), side by side instead of one after the other. The next leader still sends what it made, for those
 * that missed a vote.
 */
import type { VoteData } from '../qc/ballot.ts';
import { hasRipeEvent, type Replica } from './replica.ts';

/** Above this, n votes to all would cost more messages than the certificate of one. */
const MAX_VALIDATORS_TO_TELL = 7;

/** A certificate of these votes would leave nothing to agree on, as far as this replica knows. */
export function isLastVote(replica: Replica, { blockId, commit }: VoteData): boolean {
  const { tree, context } = replica;
  const block = tree.get(blockId);
  if (context.validators.n > MAX_VALIDATORS_TO_TELL || commit === null || block === undefined) return false;
  if (tree.hasWorkAbove(commit.height)) return false;
  const inFlight = new Set(tree.pathTo(block).flatMap(({ events }) => events.map(({ id }) => id)));
  return !hasRipeEvent(replica, inFlight);
}
