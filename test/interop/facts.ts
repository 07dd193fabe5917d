/** Facts about servers that scenarios wait for or hold. */
import { expect } from 'vitest';
import { eventually } from '../eventually.ts';
import type { StoredLog, Suffrage } from './admin.ts';
import { write, type Cluster } from './cluster.ts';
import type { Peer } from './peer.ts';

/** Writes so many commands through this leader, one after the other. */
export async function writeMany(leader: Peer, count: number, what: string): Promise<void> {
  for (let i = 0; i < count; i++) await write(leader, `${what} ${i}`);
}

/** Waits until this server says that it leads. */
export async function leads(peer: Peer): Promise<void> {
  await eventually(`${peer.id} leads`, async () => (await peer.admin.status()).role === 'Leader' || undefined);
}

/** Waits until each of these says that the other has this part in the configuration; none: is not in it. */
export async function hasSuffrage(among: readonly Peer[], id: string, suffrage: Suffrage | undefined): Promise<void> {
  await eventually(`${id} is ${suffrage ?? 'no member'}`, async () => {
    const statuses = await Promise.all(among.map((peer) => peer.admin.status()));
    const same = statuses.every(({ servers }) => servers.find((server) => server.id === id)?.suffrage === suffrage);
    return same || undefined;
  });
}

/**
 * Has the leader hand over to this server, and waits until it leads. The library may refuse a transfer that takes longer
 * than an election timeout; then it is asked again.
 */
export async function handLeadership(cluster: Cluster, to: Peer): Promise<void> {
  await eventually(`${to.id} is handed leadership`, async () => {
    const leader = await cluster.leader();
    if (leader === to) return true;
    await leader.admin.transfer(to).catch((error: unknown) => {
      if ((error as { code?: string }).code !== 'peer-refused') throw error;
    });
    return undefined;
  });
}

/** Indices of a log, in one answer. */
const PAGE = 20_000;

/**
 * The logs of these are the same where both have entries, which must be so for some: a snapshot may have cut one of them.
 * Go servers that took one keep older entries before a hole; a log of ours that has one does not open.
 */
export async function holdsSameLogs(first: Peer, second: Peer): Promise<void> {
  let compared = 0;
  for (let from = 1, last = 1; from <= last; from += PAGE) {
    const [one, other] = await Promise.all([first.admin.log(from, PAGE), second.admin.log(from, PAGE)]);
    const shared = sharedWith(one, other);
    expect(shared).toEqual(sharedWith(other, one));
    compared += shared.length;
    last = Math.min(one.last, other.last);
  }
  expect(compared).toBeGreaterThan(0);
}

function sharedWith({ entries }: StoredLog, other: StoredLog): StoredLog['entries'] {
  const known = new Set(other.entries.map(({ index }) => index));
  return entries.filter(({ index }) => known.has(index));
}
