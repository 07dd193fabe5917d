/**
 * Elections (Raft, 5.2), each with a round before it that changes nothing (pre-vote; dissertation, 9.6): only who could
 * win makes the term grow, so a server that was cut off disturbs nobody when it is back.
 */
import type { Call } from './calls.ts';
import { majorityOf, votersOf } from './configuration.ts';
import { lead } from './leading.ts';
import { isOnlyVoter } from './membership.ts';
import type { CallFailure, PreVoteResponse, RaftRequest, RequestVoteResponse } from './messages.ts';
import { isDiskStalled, isOwnVoter, isTerm, othersOf, setHardState, spread, type RaftServer } from './server.ts';
import { newerTerm, stepDown, waitForLeader } from './stepping-down.ts';

type VoteCall = Extract<Call, { kind: 'vote' | 'preVote' }>;

/** Patience has ended: stands for election, if this server may. */
export function standIfDue(server: RaftServer): void {
  if (server.nowMs < server.electionAtMs) return;
  // While a leader is known, one's own votes for others would be refused (hashicorp/raft, `runFollower`).
  server.leader = null;
  if (!mayStand(server)) server.electionAtMs = Infinity;
  else if (!canStand(server)) waitForLeader(server);
  else campaign(server, 'preVote');
}

/** Leadership is being handed to this server: others grant it their votes although they know a leader. */
export function standAtOnce(server: RaftServer): void {
  if (!mayStand(server) || !canStand(server)) return;
  campaign(server, 'vote', true);
}

/** Counts what was granted. */
export function countVotes(server: RaftServer): void {
  const { candidacy } = server;
  if (candidacy === null) return;
  const voters = votersOf(server.configurations.latest.configuration);
  const granted = voters.filter(({ id }) => hasGranted(server, id)).length;
  if (granted < majorityOf(voters.length)) return;
  if (candidacy.kind === 'preVote') campaign(server, 'vote');
  else lead(server);
}

export function voteAnswered(
  server: RaftServer,
  call: VoteCall,
  response: RequestVoteResponse | PreVoteResponse,
): void {
  // A pre-vote is answered with the term that it asked for, granted or not.
  const known = call.kind === 'preVote' ? call.term : server.hardState.term;
  if (response.term > known) {
    if (server.configurations.knows(call.to)) stepDown(server, response.term, newerTerm(response.term, known));
  } else if (response.granted) {
    server.candidacy?.granted.add(call.to);
  }
}

/**
 * Versions before 1.7 know no pre-vote and close the connection instead of an answer. Were that a refusal, a cluster of
 * old and new servers might never elect anybody. To a server that others may have removed it says nothing: it would stand
 * again and again, with a term that grows, as its leader did not tell it that the removal is committed.
 */
export function voteFailed(server: RaftServer, call: VoteCall, failure: CallFailure): void {
  if (call.kind !== 'preVote' || failure !== 'closed') return;
  if (isOwnVoter(server) || hasRemovedItself(server)) server.candidacy?.granted.add(call.to);
}

/**
 * A voter of the configuration in force. Or one that loses its vote by an entry that is not committed: a leader that has
 * removed itself may be the only one with that entry, so that nobody whose log lacks it can be elected (dissertation,
 * 4.2.2). Its own vote does not count then, and those who have the entry too refuse it theirs.
 */
function mayStand(server: RaftServer): boolean {
  return isOwnVoter(server) || server.configurations.wasVoterBefore(server.self.id);
}

/** As far as it remembers: the configuration in which it is no voter is one that it put into the log as a leader. */
function hasRemovedItself({ log, configurations, lastLedTerm }: RaftServer): boolean {
  const term = log.termAt(configurations.latest.index);
  return term !== undefined && term <= lastLedTerm;
}

/**
 * A disk that stands still could not even keep this server's own vote; a log that is being replaced says nothing; and the
 * servers of another history might vote for who has found one, but for the only voter, who asks nobody.
 */
function canStand(server: RaftServer): boolean {
  if (!isTerm(server.hardState.term + 1)) return false;
  if (server.foreign !== null && !isOnlyVoter(server)) return false;
  return !isDiskStalled(server) && server.restoring === null;
}

function campaign(server: RaftServer, kind: 'preVote' | 'vote', isTransfer = false): void {
  const { self, calls, writes, timings } = server;
  const term = server.hardState.term + 1;
  calls.forget();
  server.leader = null;
  server.role = kind === 'preVote' ? 'precandidate' : 'candidate';
  server.patienceMs = spread(server, timings.electionMs);
  server.electionAtMs = server.nowMs + server.patienceMs;
  server.candidacy = { kind, term, granted: new Set([self.id]), ownVote: kind === 'vote' ? writes.next : 0 };
  if (kind === 'vote') setHardState(server, term, self.address);
  const request = requestFor(server, kind, term, isTransfer);
  for (const other of othersOf(server))
    if (other.suffrage === 'voter')
      calls.make(server.turn, kind === 'vote' ? 'durable' : 'now', other, { kind, to: other.id, term }, request);
  countVotes(server);
}

function requestFor(
  { header, self, log }: RaftServer,
  kind: 'preVote' | 'vote',
  term: number,
  isTransfer: boolean,
): RaftRequest {
  const common = { ...header, term, lastIndex: log.lastIndex, lastTerm: log.lastTerm };
  if (kind === 'preVote') return { kind, ...common };
  return { kind: 'requestVote', ...common, candidate: self.address, isTransfer };
}

/** One's own vote counts once it is on the disk. */
function hasGranted({ candidacy, self, writes }: RaftServer, id: string): boolean {
  if (candidacy === null || !candidacy.granted.has(id)) return false;
  return id !== self.id || writes.isDurable(candidacy.ownVote);
}
