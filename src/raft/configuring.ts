/**
 * A configuration is in force from the moment it is in the log (Raft, section 6): here it comes in, and here it goes out
 * again when the log is cut.
 */
import type { LoggedConfiguration, Server, ServerId } from './messages.ts';
import { Progress } from './progress.ts';
import { sendTo } from './replication.ts';
import { othersOf, type Leadership, type RaftServer } from './server.ts';

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

/** A leader sends to all others in the configuration in force, and to nobody else. */
export function followAll(server: RaftServer, leadership: Leadership): void {
  const { followers } = leadership;
  const others = new Map<ServerId, Server>(othersOf(server).map((other) => [other.id, other]));
  for (const [id, progress] of followers) {
    if (others.has(id)) continue;
    // The entry that removes it is still sent, so that it may know; whether it arrives, nobody waits for.
    sendTo(server, leadership, progress, false);
    followers.delete(id);
  }
  for (const [id, other] of others) {
    const progress = followers.get(id);
    if (progress === undefined) followers.set(id, new Progress(other, server.log.lastIndex + 1, server.nowMs));
    else progress.server = other;
  }
  // Another majority may have been silent for longer.
  leadership.leaseEndsAtMs = server.nowMs;
}
