/** Votes and pre-votes for others (Raft, 5.2 and 5.4.1; hashicorp/raft `requestVote`, `requestPreVote`). */
import { isVoter, serverOf } from './configuration.ts';
import { isStranger, strangerRefusal } from './membership.ts';
import type { PreVoteRequest, RequestVoteRequest, ServerId } from './messages.ts';
import type { Asker } from './obeying.ts';
import { setHardState, whenTermIsDurable, type RaftServer } from './server.ts';
import { newerTerm, stepDown } from './stepping-down.ts';

export function receiveVoteRequest(server: RaftServer, asker: Asker, request: RequestVoteRequest): void {
  const granted = isMember(server, asker, request.term) && decide(server, asker.from, request);
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
    isMember(server, asker, request.term) &&
    !hasOtherLeader(server, asker.from) &&
    request.term >= hardState.term &&
    mayHaveVotes(server, asker.from) &&
    isUpToDate(server, request);
  server.turn.answer(asker.ask, whenTermIsDurable(server), {
    kind: 'preVote',
    term: Math.max(hardState.term, granted ? request.term : 0),
    granted,
  });
}

/**
 * Whose request counts at all: a member of the configuration in force. To a server that knows no configuration yet, those
 * whom the operator lists. Of others not even the term is taken, or a server that was removed could depose leaders.
 */
function isMember(server: RaftServer, { from, isListed }: Asker, term: number): boolean {
  const { configuration } = server.configurations.latest;
  const isOne = configuration.servers.length === 0 ? isListed : serverOf(configuration, from) !== undefined;
  if (!isOne && isStranger(server, from, isListed)) server.turn.refuse(from, strangerRefusal(from, term));
  return isOne;
}

/** Takes the term, and votes at most once in it. */
function decide(server: RaftServer, from: ServerId, request: RequestVoteRequest): boolean {
  if (!request.isTransfer && hasOtherLeader(server, from)) return false;
  const { term, candidate } = request;
  if (term < server.hardState.term) return false;
  if (term > server.hardState.term) stepDown(server, term, newerTerm(term, server.hardState.term));
  if (!mayHaveVotes(server, from)) return false;
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

function mayHaveVotes({ configurations }: RaftServer, from: ServerId): boolean {
  const { configuration } = configurations.latest;
  return configuration.servers.length === 0 || isVoter(configuration, from);
}

/** Its log holds all that may be committed (Raft, 5.4.1). */
function isUpToDate({ log }: RaftServer, { lastIndex, lastTerm }: RequestVoteRequest | PreVoteRequest): boolean {
  return lastTerm !== log.lastTerm ? lastTerm > log.lastTerm : lastIndex >= log.lastIndex;
}
