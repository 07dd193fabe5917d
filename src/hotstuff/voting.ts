/**
 * Receiving a proposal, and voting for it.
 *
 *     admitted -> learn its certificates -> is it of the current round? -> is its parent held? -> justified (rules 1-3)
 *       -> execute on the parent: the roots must be those of the header -> into the tree -> time rule -> vote
 *
 * A proposal that waits for its parent is the only thing kept; a valid one that may not be voted for (this validator
 * gave up on the round already) still goes into the tree, as others may certify it.
 */
import { refuse, type Refusal, type Result } from '../base/result.ts';
import type { ValidatorIndex } from '../consensus/engine.ts';
import { checkStateRoot, checkVotingTime } from '../ledger/block-rules.ts';
import type { Execution } from '../ledger/machine.ts';
import { answerIfStale } from './answering.ts';
import type { TreeBlock } from './block-tree.ts';
import { isLastVote } from './last-vote.ts';
import { learnCertificate, learnTimeoutCertificate } from './learning.ts';
import type { AdmittedProposal } from './messages.ts';
import { checkJustification } from './proposal-rules.ts';
import { blockContext, everybody, leaderAt, nowSeconds, type Replica } from './replica.ts';
import type { Ballot } from './safety-rules.ts';
import { encodeStoredBlock } from './stored-block.ts';

export function receiveProposal(replica: Replica, from: ValidatorIndex, proposal: AdmittedProposal): void {
  const { round } = proposal.block.header;
  if (!noteProposal(replica, from, proposal)) return;
  learnCertificate(replica, proposal.justify);
  if (proposal.timeoutCertificate !== null) learnTimeoutCertificate(replica, proposal.timeoutCertificate);
  // Rule 4: of the current round, after its certificates were processed.
  const current = replica.pacemaker.round;
  if (round < current) answerIfStale(replica, from, round);
  if (round !== current) {
    replica.turn.refuse(from, roundRefusal(round, current));
    return;
  }
  if (replica.tree.get(proposal.block.id) !== undefined) resendVote(replica);
  else replica.pending ??= proposal;
}

/** The stored vote, once more: asked again, a validator never votes anew. @param isWanted which of its recipients */
export function resendVote(replica: Replica, isWanted: (recipient: ValidatorIndex) => boolean = () => true): void {
  const vote = unusedVote(replica);
  const round = replica.rules.record.lastVote?.round ?? 0;
  if (vote !== undefined) replica.turn.cast(vote, voteRecipients(replica, round).filter(isWanted));
}

/** The stored vote while a certificate may still be made of it. */
export function unusedVote({ rules }: Replica): Ballot | undefined {
  const { lastVote, highCertificate } = rules.record;
  return (lastVote?.round ?? 0) > highCertificate.vote.round ? rules.storedVote() : undefined;
}

function roundRefusal(round: number, current: number): Refusal {
  return {
    code: 'proposal-round-not-current',
    message: 'the proposal is not of the current round',
    details: { round, current },
  };
}

/**
 * A leader proposes once a round: two signed proposals are evidence, and the second is not even looked at. (Should others
 * certify it, it is fetched.)
 *
 * @returns whether this is the leader's only proposal of the round, as far as is known
 */
function noteProposal(replica: Replica, from: ValidatorIndex, { block, signature }: AdmittedProposal): boolean {
  const { proposals, evidence, turn, context } = replica;
  const proposal = { ballot: { round: block.header.round, blockId: block.id }, signature };
  const noted = proposals.get(from);
  if (noted === undefined || noted.ballot.round < proposal.ballot.round) {
    proposals.set(from, proposal);
    return true;
  }
  if (noted.ballot.round !== proposal.ballot.round || noted.ballot.blockId === block.id) return true;
  const bytes = evidence.convictProposals(from, noted, proposal);
  if (bytes !== null) turn.evidence(from, context.validators.epoch, bytes);
  return false;
}

/** Takes up the waiting proposal once its parent is held. @returns whether anything came of it */
export function considerPending(replica: Replica): boolean {
  const proposal = replica.pending;
  if (proposal === null) return false;
  const parent = replica.tree.get(proposal.justify.vote.blockId);
  if (parent === undefined) return false;
  replica.pending = null;
  if (replica.tree.get(proposal.block.id) !== undefined) return true; // fetched in the meantime
  const executed = validate(replica, proposal, parent);
  if (!executed.ok) {
    replica.turn.refuse(leaderAt(replica, proposal.block.header.round), executed.refusal);
    return true;
  }
  const { block, events, justify } = proposal;
  const inserted = replica.tree.insert(parent, { block, events, justify, execution: executed.value });
  voteFor(replica, inserted, parent, proposal);
  return true;
}

/** Refusals: those of `checkJustification`, of the machine and of `checkStateRoot`, `epoch-change-unknown`. */
function validate(replica: Replica, proposal: AdmittedProposal, parent: TreeBlock): Result<Execution> {
  const { block, events } = proposal;
  const { header } = block;
  const justified = checkJustification(header, parent, proposal);
  if (!justified.ok) return justified;
  if (header.nextValidatorSet !== null) {
    return refuse('epoch-change-unknown', 'no event of this block changes the validator set', { round: header.round });
  }
  const { machine } = replica;
  const context = blockContext(replica, header.height, header.timestamp);
  const executed = machine.execute(parent.execution, context, events);
  if (!executed.ok) return executed;
  const agreed = checkStateRoot(header, executed.value);
  if (agreed.ok) return executed;
  machine.discard(executed.value);
  return agreed;
}

function voteFor(replica: Replica, inserted: TreeBlock, parent: TreeBlock, proposal: AdmittedProposal): void {
  const { rules, turn } = replica;
  const leader = leaderAt(replica, inserted.header.round);
  const timely = checkVotingTime(inserted.block, parent.header.timestamp, nowSeconds(replica));
  if (!timely.ok) {
    turn.refuse(leader, timely.refusal);
    return;
  }
  const vote = rules.vote({ ...proposal, parent });
  if (vote.ok) castVote(replica, vote.value, inserted);
  else turn.refuse(null, vote.refusal);
}

/** A vote is sent when its block and all its uncommitted ancestors are on disk with it. */
export function castVote(replica: Replica, vote: Ballot, block: TreeBlock): void {
  const { tree, turn } = replica;
  for (const step of tree.pathTo(block)) {
    if (step.persisted || step.justify === null) continue;
    turn.persist({ id: step.id, bytes: encodeStoredBlock({ block: step.block, justify: step.justify }) });
    step.persisted = true;
  }
  const { lastVote } = replica.rules.record;
  const isLast = lastVote !== null && isLastVote(replica, lastVote);
  turn.cast(vote, isLast ? everybody(replica.context.validators.n) : voteRecipients(replica, block.header.round));
}

/**
 * The next leader makes a certificate of the votes, and the one after it can when the next one is silent. To more
 * validators would cost a message each in every round (0.2 ms of CPU) and gain nothing: when both are silent, the votes
 * travel to all beside the timeouts. (`last-vote.ts` has the exception.)
 */
export function voteRecipients(replica: Replica, round: number): readonly ValidatorIndex[] {
  return [...new Set([leaderAt(replica, round + 1), leaderAt(replica, round + 2)])];
}
