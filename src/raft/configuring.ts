/**
 * A configuration is in force from the moment it is in the log (Raft, section 6): here it comes in, and here it goes out
 * again when the log is cut.
 */
import { serverOf } from './configuration.ts';
import type { LoggedConfiguration, Server } from './messages.ts';
import { Progress } from './progress.ts';
import { othersOf, type Leadership, type RaftServer } from './server.ts';

/** Election timeouts for which a server that was removed is still sent what it lacks, so that it may know. */
const LEAVE_ELECTIONS = 2;

export function adoptConfiguration(server: RaftServer, logged: LoggedConfiguration): void {
  server.configurations.append(logged);
  configurationChanged(server);
}

export function rollBackConfigurations(server: RaftServer, fromIndex: number): void {
  if (server.configurations.truncateFrom(fromIndex)) configurationChanged(server);
}

/** Another one is in force. */
export function configurationChanged(server: RaftServer): void {
  const { turn, configurations, leadership } = server;
  const { latest, isLatestCommitted } = configurations;
  turn.tell({ kind: 'configurationChanged', latest, isCommitted: isLatestCommitted });
  if (leadership !== null) followAll(server, leadership);
}

/** A leader sends to all others in the configuration in force, and for a while to those who were removed. */
export function followAll(server: RaftServer, leadership: Leadership): void {
  const { followers } = leadership;
  const { latest } = server.configurations;
  for (const [id, progress] of followers)
    if (!progress.isLeaving && serverOf(latest.configuration, id) === undefined)
      letGo(progress, latest.index, server.nowMs + LEAVE_ELECTIONS * server.timings.electionMs);
  for (const other of othersOf(server)) {
    const progress = followers.get(other.id);
    if (progress === undefined) followers.set(other.id, new Progress(other, server.log.lastIndex + 1, server.nowMs));
    else keep(progress, other, latest.index);
  }
  // Another majority may have been silent for longer.
  leadership.leaseEndsAtMs = server.nowMs;
}

function letGo(progress: Progress, index: number, leavesAtMs: number): void {
  progress.server = { ...progress.server, suffrage: 'nonvoter' };
  progress.holdFrom = index;
  progress.leavesAtMs = leavesAtMs;
}

function keep(progress: Progress, server: Server, index: number): void {
  if (server.suffrage === 'voter') progress.holdFrom = Infinity;
  else if (progress.isVoter) progress.holdFrom = index;
  progress.leavesAtMs = Infinity;
  progress.server = server;
}
