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

/** The logs of these are the same where both have entries, which must be so for some. */
export async function holdsSameLogs(first: Peer, second: Peer): Promise<void> {
  const [one, other] = await Promise.all([first.admin.log(), second.admin.log()]);
  const from = Math.max(one.first, other.first);
  const to = Math.min(one.last, other.last);
  const part = ({ entries }: StoredLog): unknown => entries.filter(({ index }) => index >= from && index <= to);
  expect(to).toBeGreaterThanOrEqual(from);
  expect(part(one)).toEqual(part(other));
}
