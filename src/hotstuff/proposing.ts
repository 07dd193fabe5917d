/**
 * The leader's turn: as soon as it is in its round, holds the block that its highest certificate names, and there is
 * something to agree on. Where its certificate has just been formed, this is still the same step.
 *
 *     highest certificate of the round before:   B extends its block
 *     else                                       B extends its block, with the timeout certificate of the round before
 *
 * An idle leader proposes nothing: its round stays open until there is work, for an hour if need be.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import { BLOCK_OVERHEAD_BYTES, makeBlock, MAX_BLOCK_BYTES, MAX_BLOCK_EVENTS, type Block } from '../ledger/block.ts';
import { MAX_UNCOMMITTED_BLOCKS, type Selection } from '../ledger/machine.ts';
import { certificateDigest } from '../qc/certificate.ts';
import type { TreeBlock } from './block-tree.ts';
import { blockContext, hasWork, leaderAt, mustGoOn, nowSeconds, type Replica } from './replica.ts';
import { castVote } from './voting.ts';

/** @returns whether it proposed */
export function propose(replica: Replica): boolean {
  const { machine, rules, pacemaker, self, tree } = replica;
  const { round } = pacemaker;
  if (leaderAt(replica, round) !== self || rules.silence !== null) return false;
  if (round <= rules.record.lastVotedRound || !hasWork(replica)) return false;
  const parent = tree.get(rules.record.highCertificate.vote.blockId);
  if (parent === undefined || !machine.understands(parent.execution, parent.header.height + 1).ok) return false;
  const selection = select(replica, parent);
  for (const { event, refusal } of selection.refused) {
    replica.mempool.remove(event.id);
    replica.turn.reject(event.id, refusal);
  }
  // A chain that does not go on has no time and no next height, and what waits for them waits for ever.
  if (selection.events.length === 0 && !mustGoOn(replica) && !selection.waitsForChain) {
    replica.machine.discard(selection.execution);
    return false;
  }
  return cast(replica, parent, selection);
}

function select(replica: Replica, parent: TreeBlock): Selection {
  const { tree, mempool, machine } = replica;
  const path = tree.pathTo(parent);
  const inFlight = new Set<Hash>(path.flatMap(({ events }) => events.map(({ id }) => id)));
  // Too much is uncommitted already: blocks go on, so that it commits, but they are empty.
  const candidates = path.length > MAX_UNCOMMITTED_BLOCKS ? [] : mempool.candidates(inFlight);
  const timestamp = Math.max(parent.header.timestamp, nowSeconds(replica));
  const context = blockContext(replica, parent.header.height + 1, timestamp);
  return machine.select(parent.execution, context, candidates, {
    maxBytes: MAX_BLOCK_BYTES - BLOCK_OVERHEAD_BYTES,
    maxEvents: MAX_BLOCK_EVENTS,
  });
}

/** The same guard as for any vote: the leader votes for its own block in the step that makes it. */
function cast(replica: Replica, parent: TreeBlock, { execution, events }: Selection): boolean {
  const { rules, pacemaker, tree, turn } = replica;
  const { round } = pacemaker;
  const { highCertificate: justify, highTimeoutCertificate } = rules.record;
  const timeoutCertificate = justify.vote.round + 1 === round ? null : highTimeoutCertificate;
  const block = blockOn(replica, parent, { execution, events });
  const ballots = rules.propose({ block, parent, justify, timeoutCertificate });
  assert(ballots.ok, "a leader's own proposal passes its own guard", {
    round,
    because: ballots.ok ? '' : ballots.refusal.code,
  });
  const inserted = tree.insert(parent, { block, events, execution, justify });
  turn.cast(ballots.value.proposal, 'all');
  castVote(replica, ballots.value.vote, inserted);
  replica.ownProposal = ballots.value.proposal;
  if (replica.formed !== null && replica.formed.vote.round <= justify.vote.round) replica.formed = null;
  return true;
}

function blockOn(
  { context, self, pacemaker, rules }: Replica,
  parent: TreeBlock,
  { execution, events }: Pick<Selection, 'execution' | 'events'>,
): Block {
  const { chainId, validators } = context;
  return makeBlock(
    {
      chainId,
      epoch: validators.epoch,
      round: pacemaker.round,
      height: parent.header.height + 1,
      parentId: parent.id,
      justifyDigest: certificateDigest(rules.record.highCertificate),
      proposer: validators.member(self).peerId,
      timestamp: execution.timestamp,
      stateRoot: execution.stateRoot,
      nextValidatorSet: null,
    },
    events,
  );
}
