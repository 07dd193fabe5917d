/** What is committed: on a leader by counting, on a follower by what the leader says (Raft, 5.3 and 5.4.2). */
import { isVoter, majorityOf } from './configuration.ts';
import type { Progress } from './progress.ts';
import { tellCommitSoon, type Leadership, type RaftServer } from './server.ts';

/**
 * The greatest number that a majority of voters reaches.
 *
 * @param own this server's, which counts where it is a voter
 * @param of another voter's
 */
export function quorumReaches(
  { configurations, self }: RaftServer,
  { followers }: Leadership,
  own: number,
  of: (progress: Progress) => number,
): number {
  const { configuration } = configurations.latest;
  const descending: number[] = [];
  for (const progress of followers.values()) if (progress.isVoter) insert(descending, of(progress));
  if (isVoter(configuration, self.id)) insert(descending, own);
  return descending[majorityOf(descending.length) - 1] ?? 0;
}

/**
 * A leader commits what a majority has on its disks, once an entry of its own term is among it: of an older entry a
 * majority is not enough (Raft, figure 8).
 */
export function commitWhatQuorumHolds(server: RaftServer, leadership: Leadership): void {
  const { log } = server;
  if (log.lastIndex === server.commitIndex) return;
  const index = quorumReaches(server, leadership, log.durableIndex, matchOf);
  if (index >= leadership.firstIndex) commitUpTo(server, index);
}

/** Commits up to this index, where less was committed before. */
export function commitUpTo(server: RaftServer, index: number): void {
  if (index <= server.commitIndex) return;
  const { turn, configurations, leadership } = server;
  server.commitIndex = index;
  turn.tell({ kind: 'commit', index });
  if (configurations.committed(index))
    turn.tell({ kind: 'configurationChanged', latest: configurations.latest, isCommitted: true });
  if (leadership === null) return;
  leadership.proposals.committed(index);
  tellCommitSoon(server, leadership);
}

function matchOf({ match }: Progress): number {
  return match;
}

function insert(descending: number[], value: number): void {
  let place = descending.length;
  for (; place > 0 && (descending[place - 1] as number) < value; place--)
    descending[place] = descending[place - 1] as number;
  descending[place] = value;
}
