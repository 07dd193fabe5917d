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

/** Of a log, in one answer. */
const PAGE = 20_000;

/** The logs of these are the same where both have entries, which must be so for some. */
export async function holdsSameLogs(first: Peer, second: Peer): Promise<void> {
  const page = (from: number) => Promise.all([first.admin.log(from, PAGE), second.admin.log(from, PAGE)]);
  let compared = 0;
  for (let from = 1, last = 1; from <= last;) {
    const [one, other] = await page(from);
    // A snapshot may have cut one of them.
    const begin = Math.max(from, one.first, other.first);
    last = Math.min(one.last, other.last);
    if (begin === from) {
      const end = Math.min(last, from + PAGE - 1);
      const part = ({ entries }: StoredLog): StoredLog['entries'] => entries.filter(({ index }) => index <= end);
      expect(part(one)).toHaveLength(end - from + 1);
      expect(part(one)).toEqual(part(other));
      compared += part(one).length;
      from = end + 1;
    } else {
      from = begin;
    }
  }
  expect(compared).toBeGreaterThan(0);
}
