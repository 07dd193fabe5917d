/** Votes and pre-votes for others (Raft, 5.2 and 5.4.1; hashicorp/raft `requestVote`, `requestPreVote`). */
import { refuse } from '../base/result.ts';
import { isVoter, serverAt, serverOf } from './configuration.ts';
import { isStranger, strangerRefusal } from './membership.ts';
import type { PreVoteRequest, RequestVoteRequest, ServerId } from './messages.ts';
import type { Asker } from './obeying.ts';
import { isTerm, setHardState, whenTermIsDurable, type RaftServer } from './server.ts';
import { newerTerm, stepDown } from './stepping-down.ts';

export function receiveVoteRequest(server: RaftServer, asker: Asker, request: RequestVoteRequest): void {
  const granted =
    isMember(server, asker, request) && isOwnAddress(server, asker, request) && decide(server, asker.from, request);
  server.turn.answer(asker.ask, whenTermIsDurable(server), {
    kind: 'requestVote',
    term: server.hardState.term,
    granted,
  });
}

/** Promises nothing and changes nothing. Always answered, as servers before 1.7 do not. */
export function receivePreVoteRequest(server: RaftServer, asker: Asker, request: PreVoteRequest): void {
  const { hardState } = server;
  const granted =
    isMember(server, asker, request) &&
    !hasOtherLeader(server, asker.from) &&
    request.term >= hardState.term &&
    mayHaveVotes(server, asker.from, request) &&
    isUpToDate(server, request);
  server.turn.answer(asker.ask, whenTermIsDurable(server), {
    kind: 'preVote',
    term: Math.max(hardState.term, granted ? request.term : 0),
    granted,
  });
}

type Ballot = RequestVoteRequest | PreVoteRequest;

/**
 * Whose request counts at all: a member of the configuration in force. Of others whom the operator lists, one whose log
 * is longer: a configuration in it may name it. To a server that knows no configuration yet, all who are listed. Of the
 * rest not even the term is taken, or a server that was removed could depose leaders.
 */
function isMember(server: RaftServer, { from, isListed }: Asker, request: Ballot): boolean {
  const { configuration } = server.configurations.latest;
  if (serverOf(configuration, from) !== undefined) return true;
  if (isStranger(server, from, isListed)) server.turn.refuse(from, strangerRefusal(from, request.term));
  return isListed && (configuration.servers.length === 0 || isLonger(server, request));
}

/** A vote is kept by the candidate's address: given to one under another's, it would be that one's too. */
function isOwnAddress(
  { configurations, turn }: RaftServer,
  { from }: Asker,
  { candidate }: RequestVoteRequest,
): boolean {
  const owner = serverAt(configurations.latest.configuration, candidate);
  if (owner === undefined || owner.id === from) return true;
  const details = { from, address: candidate, owner: owner.id };
  turn.refuse(from, refuse('raft-address-of-another', `${candidate} is the address of ${owner.id}`, details).refusal);
  return false;
}

/** Takes the term, and votes at most once in it. */
function decide(server: RaftServer, from: ServerId, request: RequestVoteRequest): boolean {
  if (!request.isTransfer && hasOtherLeader(server, from)) return false;
  const { term, candidate } = request;
  if (!isTerm(term) || term < server.hardState.term || candidate === '') return false;
  if (term > server.hardState.term) stepDown(server, term, newerTerm(term, server.hardState.term));
  if (!mayHaveVotes(server, from, request)) return false;
  const { votedFor } = server.hardState;
  if (votedFor !== null) return votedFor === candidate;
  if (!isUpToDate(server, request)) return false;
  setHardState(server, term, candidate);
  server.electionAtMs = server.nowMs + server.patienceMs;
  return true;
}

/**
 * A leader is known and was heard within the timeout: whoever stands now was cut off, or was removed and does not know
 * (Raft, section 6; dissertation, 4.2.3).
 */
function hasOtherLeader({ leader, self, nowMs, heardLeaderAtMs, timings }: RaftServer, from: ServerId): boolean {
  if (leader === null || leader.id === from) return false;
  return leader.id === self.id || nowMs - heardLeaderAtMs < timings.heartbeatMs;
}

/**
 * A voter. And whoever is none by this log but has a longer one, in which it may be: were it refused, two servers of three
 * could be without a leader for ever (dissertation, 4.1). One with an equal log is known to be none, and stands by mistake.
 */
function mayHaveVotes(server: RaftServer, from: ServerId, request: Ballot): boolean {
  const { configuration } = server.configurations.latest;
  return configuration.servers.length === 0 || isVoter(configuration, from) || isLonger(server, request);
}

/** Its log holds all that may be committed (Raft, 5.4.1). */
function isUpToDate(server: RaftServer, request: Ballot): boolean {
  const { log } = server;
  return isLonger(server, request) || (request.lastTerm === log.lastTerm && request.lastIndex === log.lastIndex);
}

/** Its log is later than this one's: of a later last term, or of the same and with more entries. */
function isLonger({ log }: RaftServer, { lastIndex, lastTerm }: Ballot): boolean {
  return lastTerm !== log.lastTerm ? lastTerm > log.lastTerm : lastIndex > log.lastIndex;
}
