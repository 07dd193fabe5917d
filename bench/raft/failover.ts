/** How long a cluster takes no writes when its leader is killed, at hashicorp/raft's default timeouts. */
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../test/eventually.ts';
import type { Peer } from '../../test/interop/peer.ts';
import { summarize, type Summary } from '../measure.ts';

/** Between two attempts at a server that does not lead: little against an election. */
const TRY_AGAIN_MS = 10;
const GIVE_UP_AFTER_MS = 60_000;

/**
 * Kills the leader again and again, and each time starts it again once a write is acknowledged.
 *
 * @param peers all of a cluster, running
 * @returns from a kill to the acknowledgement of a write that was sent after it
 */
export async function measureFailover(peers: readonly Peer[], kills: number): Promise<Summary> {
  const tookMs: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const leader = await settledLeader(peers);
    const others = peers.filter((peer) => peer !== leader);
    const startedMs = performance.now();
    await leader.kill();
    const done = new AbortController();
    await Promise.any(others.map((peer) => written(peer, `after kill ${kill}`, done.signal)));
    tookMs.push(performance.now() - startedMs);
    done.abort();
    await leader.start();
  }
  return summarize(tookMs);
}

/** Tries at one server until it acknowledges a write. @throws when another was faster, or nobody is in time */
async function written(peer: Peer, command: string, done: AbortSignal): Promise<void> {
  const late = AbortSignal.timeout(GIVE_UP_AFTER_MS);
  while (!done.aborted && !late.aborted) {
    if ((await peer.admin.apply(command)).kind === 'applied') return;
    await delay(TRY_AGAIN_MS);
  }
  throw new Error(`${peer.id} acknowledged no write`);
}

/** A leader that all know, with followers that have everything. */
function settledLeader(peers: readonly Peer[]): Promise<Peer> {
  return eventually('all servers follow one leader and have what it has', async () => {
    const statuses = await Promise.all(peers.map((peer) => peer.admin.status()));
    const leader = peers[statuses.findIndex(({ role }) => role === 'Leader')];
    const [first] = statuses;
    const isSettled = statuses.every(
      ({ leader: known, lastIndex, appliedIndex }) =>
        known === leader?.address && lastIndex === first?.lastIndex && appliedIndex === lastIndex,
    );
    return isSettled ? leader : undefined;
  });
}
