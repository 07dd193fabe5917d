/**
 * Leadership is handed over (Raft dissertation, 3.10): the leader takes no more proposals, brings the other server up to
 * date, and asks it to stand at once. After an election timeout it gives up and goes on leading.
 */
import { refuse, type Refusal } from '../base/result.ts';
import type { ServerId, TimeoutNowRequest } from './messages.ts';
import { isStranger, strangerRefusal } from './membership.ts';
import type { Asker } from './obeying.ts';
import type { Progress } from './progress.ts';
import { notLeader, transferring } from './proposing.ts';
import { standAtOnce } from './election.ts';
import type { Leadership, RaftServer, Transfer } from './server.ts';

export function transferLeadership(server: RaftServer, request: number, to: ServerId | null): void {
  const { leadership, turn } = server;
  const unsettled = (refusal: Refusal): void => turn.tell({ kind: 'unsettled', request, refusal });
  if (leadership === null) return unsettled(notLeader(server));
  if (leadership.transfer !== null) return unsettled(transferring(leadership.transfer.to));
  const target = to === null ? mostAdvanced(leadership) : leadership.followers.get(to);
  if (target === undefined || !target.isVoter)
    return unsettled(refuse('raft-no-such-voter', 'leadership goes to another voter', { to }).refusal);
  // What it was told to wait for after a failure is waited for no longer.
  target.retryAtMs = server.nowMs;
  leadership.transfer = { request, to: target.server.id, startedAtMs: server.nowMs, isAsked: false };
}

/** Asks the other server to stand when it has all; gives up when the time is over. */
export function pursueTransfer(server: RaftServer, leadership: Leadership): void {
  const { transfer } = leadership;
  if (transfer === null) return;
  const target = leadership.followers.get(transfer.to);
  if (target === undefined || !target.isVoter)
    return giveUp(
      server,
      leadership,
      refuse('raft-no-such-voter', 'it is no voter any more', { to: transfer.to }).refusal,
    );
  if (server.nowMs >= transfer.startedAtMs + server.timings.electionMs)
    return giveUp(server, leadership, transferFailed(server, transfer, target));
  if (transfer.isAsked || !isReady(server, transfer, target)) return;
  transfer.isAsked = true;
  askToStand(server, target);
}

export function askToStand(server: RaftServer, progress: Progress): void {
  const request: TimeoutNowRequest = { kind: 'timeoutNow', ...server.header };
  server.calls.make(server.turn, 'now', progress.server, { kind: 'timeoutNow', to: progress }, request);
}

/** It was not reached: there is nothing to wait for. Should it stand all the same, it is an election like any other. */
export function askToStandFailed(server: RaftServer, leadership: Leadership, progress: Progress): void {
  const { transfer } = leadership;
  if (transfer?.to === progress.server.id) giveUp(server, leadership, transferFailed(server, transfer, progress));
}

export function receiveTimeoutNow(server: RaftServer, { ask, from, isListed }: Asker): void {
  const { turn, leader } = server;
  turn.answer(ask, 'now', { kind: 'timeoutNow' });
  if (isStranger(server, from, isListed)) return turn.refuse(from, strangerRefusal(from, 0));
  if (leader !== null && leader.id !== from) {
    const refusal = refuse('raft-not-the-leader', `${from} hands over what ${leader.id} has`, {
      from,
      leader: leader.id,
    });
    return turn.refuse(from, refusal.refusal);
  }
  if (server.role !== 'leader') standAtOnce(server);
}

/** When the engine wants to look after it again. */
export function transferDueMs({ timings, nowMs }: RaftServer, { startedAtMs, isAsked }: Transfer): number {
  const halfMs = startedAtMs + timings.electionMs / 2;
  return !isAsked && nowMs < halfMs ? halfMs : startedAtMs + timings.electionMs;
}

export function mostAdvanced({ followers }: Leadership): Progress | undefined {
  let best: Progress | undefined;
  for (const progress of followers.values())
    if (progress.isVoter && (best === undefined || progress.match > best.match)) best = progress;
  return best;
}

/**
 * It holds the whole log. For half of the time it is also waited for that the log is committed, so that those who proposed
 * hear what became of it.
 */
function isReady({ log, commitIndex, nowMs, timings }: RaftServer, transfer: Transfer, { match }: Progress): boolean {
  if (match !== log.lastIndex) return false;
  return commitIndex === log.lastIndex || nowMs >= transfer.startedAtMs + timings.electionMs / 2;
}

function giveUp(server: RaftServer, leadership: Leadership, refusal: Refusal): void {
  const { transfer } = leadership;
  leadership.transfer = null;
  if (transfer !== null) server.turn.tell({ kind: 'unsettled', request: transfer.request, refusal });
}

function transferFailed({ log, timings }: RaftServer, { to, isAsked }: Transfer, { match }: Progress): Refusal {
  return refuse('transfer-failed', `${to} did not take over`, {
    to,
    isAsked,
    match,
    lastIndex: log.lastIndex,
    electionMs: timings.electionMs,
  }).refusal;
}
