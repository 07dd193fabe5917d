/** What comes in from outside goes to the file that knows what it means. */
import { assert, unreachable } from '../base/assert.ts';
import type { Call } from './calls.ts';
import type { CallFailure, PreVoteResponse, RaftRequest, RaftResponse, RequestVoteResponse } from './messages.ts';
import { voteAnswered, voteFailed } from './election.ts';
import { receiveAppendEntries } from './following.ts';
import { isOnlyVoter } from './membership.ts';
import type { Asker } from './obeying.ts';
import { appendAnswered, sendingFailed, snapshotAnswered } from './replication.ts';
import type { Leadership, RaftServer } from './server.ts';
import { receiveInstallSnapshot } from './snapshots.ts';
import { newerTerm, stepDown, waitForLeader } from './stepping-down.ts';
import { askToStandFailed, receiveTimeoutNow } from './transfer.ts';
import { receivePreVoteRequest, receiveVoteRequest } from './voting.ts';

/** A call of a leader. */
type FollowerCall = Exclude<Call, { kind: 'vote' | 'preVote' }>;

/** What each call is answered with; anything else is no answer. */
const ANSWERS: Readonly<Record<Call['kind'], RaftResponse['kind']>> = {
  vote: 'requestVote',
  preVote: 'preVote',
  heartbeat: 'appendEntries',
  append: 'appendEntries',
  snapshot: 'installSnapshot',
  timeoutNow: 'timeoutNow',
};

/** A server that is the only voter has nobody to wait for. */
export function started(server: RaftServer): void {
  waitForLeader(server);
  if (isOnlyVoter(server)) server.electionAtMs = server.nowMs;
}

export function asked(server: RaftServer, asker: Asker, request: RaftRequest): void {
  switch (request.kind) {
    case 'appendEntries':
      return receiveAppendEntries(server, asker, request);
    case 'requestVote':
      return receiveVoteRequest(server, asker, request);
    case 'preVote':
      return receivePreVoteRequest(server, asker, request);
    case 'installSnapshot':
      return receiveInstallSnapshot(server, asker, request);
    case 'timeoutNow':
      return receiveTimeoutNow(server, asker);
    default:
      return unreachable(request);
  }
}

export function answered(server: RaftServer, number: number, response: RaftResponse): void {
  const call = server.calls.take(number);
  if (call === undefined) return;
  if (response.kind !== ANSWERS[call.kind]) return failed(server, call, 'error');
  if (call.kind === 'vote' || call.kind === 'preVote') {
    if (response.kind === 'requestVote' || response.kind === 'preVote') voteAnswered(server, call, response);
  } else if (response.kind !== 'requestVote' && response.kind !== 'preVote') {
    followerAnswered(server, call, response);
  }
}

function followerAnswered(
  server: RaftServer,
  call: FollowerCall,
  response: Exclude<RaftResponse, RequestVoteResponse | PreVoteResponse>,
): void {
  const leadership = leadershipOf(server, call);
  if (leadership === undefined) return;
  call.to.heardAtMs = server.nowMs;
  if (call.kind === 'heartbeat') call.to.heartbeatsInFlight--;
  if (response.kind === 'timeoutNow') return;
  if (response.term > server.hardState.term) {
    // Of a server that was removed, no term is taken.
    if (!call.to.isLeaving) stepDown(server, response.term, newerTerm(response.term, server.hardState.term));
    else leadership.followers.delete(call.to.server.id);
    return;
  }
  // Only a success says that it follows this leader: what it lacks, it may say before it looks at terms (`history.ts`).
  if (call.kind !== 'snapshot' && call.kind !== 'timeoutNow' && response.success)
    call.to.confirmedRound = Math.max(call.to.confirmedRound, call.round);
  if (call.kind === 'append' && response.kind === 'appendEntries')
    return appendAnswered(server, leadership, call, response);
  if (call.kind === 'snapshot' && response.kind === 'installSnapshot') snapshotAnswered(server, call, response);
}

export function callFailed(server: RaftServer, number: number, failure: CallFailure): void {
  const call = server.calls.take(number);
  if (call !== undefined) failed(server, call, failure);
}

function failed(server: RaftServer, call: Call, failure: CallFailure): void {
  if (call.kind === 'vote' || call.kind === 'preVote') return voteFailed(server, call, failure);
  const leadership = leadershipOf(server, call);
  if (leadership === undefined) return;
  // Who was removed and is not reached need not be told.
  if (call.to.isLeaving) leadership.followers.delete(call.to.server.id);
  else if (call.kind === 'heartbeat') call.to.heartbeatsInFlight--;
  else if (call.kind === 'timeoutNow') askToStandFailed(server, leadership, call.to);
  else sendingFailed(server, call);
}

export function persisted({ writes, log }: RaftServer, persist: number): void {
  const upTo = writes.finish(persist);
  if (upTo !== undefined) log.durable(upTo);
}

/** @returns undefined when the server that was called is followed no longer: nothing it says counts */
function leadershipOf({ leadership }: RaftServer, { to }: FollowerCall): Leadership | undefined {
  assert(leadership !== null, 'who leads no longer has forgotten its calls');
  return leadership.followers.get(to.server.id) === to ? leadership : undefined;
}
