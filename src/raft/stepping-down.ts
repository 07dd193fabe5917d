/** The way back to being a follower, from whatever a server was. */
import { refuse, type Refusal } from '../base/result.ts';
import type { Leader } from './contract.ts';
import { isTerm, setHardState, spread, type Leadership, type RaftServer } from './server.ts';

/**
 * Becomes a follower that knows no leader, of this term or of the present one, whichever is higher.
 *
 * @param why what those are told who wait for this leader
 */
export function stepDown(server: RaftServer, term: number, why: Refusal): void {
  const { leadership } = server;
  const isNewer = term > server.hardState.term && isTerm(term);
  if (isNewer) setHardState(server, term, null);
  server.calls.forget();
  server.role = 'follower';
  server.leader = null;
  server.candidacy = null;
  server.leadership = null;
  waitForLeader(server);
  if (leadership !== null) abandon(server, leadership, isNewer, why);
}

/** This is the leader of the term, and was heard now. */
export function follow(server: RaftServer, leader: Leader): void {
  if (server.leader?.id !== leader.id || server.leader.address !== leader.address) server.leader = leader;
  server.heardLeaderAtMs = server.nowMs;
  server.electionAtMs = server.nowMs + server.patienceMs;
}

/** With a patience of its own each time, so that servers seldom stand at once (Raft, 5.2). */
export function waitForLeader(server: RaftServer): void {
  server.patienceMs = spread(server, server.timings.heartbeatMs);
  server.electionAtMs = server.nowMs + server.patienceMs;
}

export function newerTerm(term: number, own: number): Refusal {
  return refuse('leadership-lost', `another server has reached term ${term}`, { term, own }).refusal;
}

/**
 * What was appended and not committed may be committed by the next leader or cut off: nobody here knows. A transfer has
 * succeeded when the server that was asked to stand has made the term grow.
 */
function abandon(server: RaftServer, leadership: Leadership, isNewer: boolean, why: Refusal): void {
  const { turn, commitIndex } = server;
  const { proposals, reads, change, transfer } = leadership;
  for (const number of proposals.numbers()) turn.tell({ kind: 'refusedProposal', number, refusal: why });
  for (const { request } of reads.waiting) turn.tell({ kind: 'unsettled', request, refusal: why });
  if (change !== null) turn.tell({ kind: 'unsettled', request: change.request, refusal: why });
  if (transfer === null) return;
  const { request } = transfer;
  if (transfer.isAsked && isNewer) turn.tell({ kind: 'settled', request, index: commitIndex });
  else turn.tell({ kind: 'unsettled', request, refusal: why });
}
