/**
 * One server at a time comes, goes or changes (Raft dissertation, 4.1): of two configurations that differ by one server,
 * any two majorities have a server in common. For that the one before must be committed, and by this leader's own term
 * (the correction of July 2015 to the dissertation's algorithm).
 */
import { refuse, type Refused, type Result, ok } from '../base/result.ts';
import { checkConfiguration, isVoter, serverOf } from './configuration.ts';
import { adoptConfiguration } from './configuring.ts';
import type { ConfigurationChange } from './contract.ts';
import { ENTRY_TYPES, type Configuration, type Server, type ServerAddress, type ServerId } from './messages.ts';
import { appendOwn, notLeader, transferring } from './proposing.ts';
import { replicate } from './replication.ts';
import type { Leadership, RaftServer } from './server.ts';
import { stepDown } from './stepping-down.ts';
import { askToStand, mostAdvanced } from './transfer.ts';

export function changeConfiguration(server: RaftServer, request: number, change: ConfigurationChange): void {
  const { turn, leadership, configurations, codec } = server;
  const unsettled = ({ refusal }: Refused): void => turn.tell({ kind: 'unsettled', request, refusal });
  if (leadership === null) return turn.tell({ kind: 'unsettled', request, refusal: notLeader(server) });
  const obstacle = obstacleTo(server, leadership, change);
  if (obstacle !== null) return unsettled(obstacle);
  const { configuration, index } = configurations.latest;
  const next = nextConfiguration(configuration, change);
  if (!next.ok) return unsettled(next);
  if (next.value === configuration) return turn.tell({ kind: 'settled', request, index });
  const entry = appendOwn(server, ENTRY_TYPES.configuration, codec.encode(next.value));
  leadership.change = { request, index: entry.index };
  adoptConfiguration(server, { index: entry.index, configuration: next.value });
}

/** Says that the change is committed, and leaves when it was this server that had to go. */
export function settleChange(server: RaftServer, leadership: Leadership): void {
  const { change } = leadership;
  if (change === null || change.index > server.commitIndex) return;
  leadership.change = null;
  server.turn.tell({ kind: 'settled', request: change.request, index: change.index });
}

/**
 * A leader that is no voter any more leads until that is committed (Raft, section 6), and leaves its place to the server
 * with the longest log at once.
 *
 * @returns whether this server still leads
 */
export function staysLeader(server: RaftServer, leadership: Leadership): boolean {
  const { configurations, self, hardState } = server;
  if (!configurations.isLatestCommitted || isVoter(configurations.latest.configuration, self.id)) return true;
  leadership.tellCommitAtMs = server.nowMs;
  replicate(server, leadership);
  const successor = mostAdvanced(leadership);
  if (successor !== undefined) askToStand(server, successor);
  const why = refuse('leadership-lost', 'this server is no voter any more', { term: hardState.term });
  stepDown(server, hardState.term, why.refusal);
  return false;
}

/** @returns the same configuration when it is already as asked */
export function nextConfiguration(configuration: Configuration, change: ConfigurationChange): Result<Configuration> {
  const { id } = change;
  const server = serverOf(configuration, id);
  switch (change.kind) {
    case 'addVoter':
      return checked(configuration, put(configuration, { id, address: change.address, suffrage: 'voter' }));
    case 'addNonvoter': {
      // A voter stays one: it is demoted by a change of its own (hashicorp/raft, `nextConfiguration`).
      const suffrage = server?.suffrage ?? 'nonvoter';
      return checked(configuration, put(configuration, { id, address: change.address, suffrage }));
    }
    case 'demoteVoter':
      if (server === undefined) return unknownServer(id);
      return checked(configuration, put(configuration, { ...server, suffrage: 'nonvoter' }));
    case 'removeServer':
      if (server === undefined) return unknownServer(id);
      return checked(configuration, { servers: configuration.servers.filter((other) => other.id !== id) });
  }
}

function put(configuration: Configuration, { id, address, suffrage }: Server): Configuration {
  const present = serverOf(configuration, id);
  if (present === undefined) return { servers: [...configuration.servers, { id, address, suffrage }] };
  if (present.address === address && present.suffrage === suffrage) return configuration;
  return { servers: configuration.servers.map((other) => (other.id === id ? { id, address, suffrage } : other)) };
}

function checked(present: Configuration, next: Configuration): Result<Configuration> {
  if (next === present) return ok(present);
  const problem = checkConfiguration(next);
  return problem.ok ? ok(next) : problem;
}

function unknownServer(id: ServerId): Refused {
  return refuse('raft-unknown-server', `${id} is not in the configuration`, { id });
}

function obstacleTo(server: RaftServer, leadership: Leadership, change: ConfigurationChange): Refused | null {
  const { configurations, commitIndex } = server;
  const { transfer, firstIndex } = leadership;
  const { latest, isLatestCommitted } = configurations;
  if (transfer !== null) return { ok: false, refusal: transferring(transfer.to) };
  if (commitIndex < firstIndex || !isLatestCommitted)
    return refuse('raft-configuration-pending', 'the configuration before is not committed yet: try again', {
      latestIndex: latest.index,
      commitIndex,
      firstIndex,
    });
  if (change.prevIndex !== undefined && change.prevIndex !== latest.index)
    return refuse('raft-configuration-moved', 'the configuration is another one than the change was made for', {
      prevIndex: change.prevIndex,
      latestIndex: latest.index,
    });
  return change.kind === 'addVoter' || change.kind === 'addNonvoter'
    ? obstacleToAdding(server, leadership, change)
    : null;
}

function obstacleToAdding(
  server: RaftServer,
  leadership: Leadership,
  { kind, id, address }: { kind: ConfigurationChange['kind']; id: ServerId; address: ServerAddress },
): Refused | null {
  if (server.header.protocolVersion < 3 && id !== address)
    return refuse('raft-id-not-address', 'up to protocol version 2 the id of a server is its address', { id, address });
  const { configuration } = server.configurations.latest;
  if (kind !== 'addVoter' || isVoter(configuration, id)) return null;
  return obstacleToPromoting(server, leadership, id);
}

/** A voter that lacks much makes a majority slow, and might be needed for the next one before it can help. */
function obstacleToPromoting({ log, limits, timings, nowMs }: RaftServer, { followers }: Leadership, id: ServerId) {
  const progress = followers.get(id);
  if (progress === undefined || progress.isLeaving)
    return refuse('not-caught-up', `${id} holds nothing of the log: add it as a non-voter first, then promote it`, {
      id,
    });
  const missing = log.lastIndex - progress.match;
  const heardAgoMs = progress.heardAtMs === null ? null : nowMs - progress.heardAtMs;
  if (missing <= limits.maxTrailingToPromote && heardAgoMs !== null && heardAgoMs < timings.leaseMs) return null;
  return refuse('not-caught-up', `${id} lacks ${missing} entries, or was not heard lately: try again`, {
    id,
    missing,
    heardAgoMs,
    maxTrailing: limits.maxTrailingToPromote,
  });
}
