/**
 * Which of the offered snapshots to take. Offers are claims: a choice costs one manifest, which proves the claim or ends
 * the server's part in this.
 */
import { isSameSnapshot, type SnapshotName, type SnapshotOffer } from '../ledger/snapshot-offer.ts';
import type { ServerId } from './join-contract.ts';

/** Servers of one snapshot that make it better than a slightly newer one of a single server. */
const ENOUGH_SERVERS = 2;
/** How much newer that one may be. */
const FRESH_BLOCKS = 1_000;

interface Candidate {
  readonly of: SnapshotName;
  readonly servers: ServerId[];
  /** Somebody serves the blocks after it. */
  goesOn: boolean;
}

/**
 * The newest one that enough servers have, among those that somebody can go on from; one that is much older only where
 * there is nothing newer; one that nobody can go on from only where there is no other.
 *
 * @param started what is partly here: taken where it is not much older than the newest
 */
export function chooseSnapshot(
  offers: ReadonlyMap<ServerId, SnapshotOffer>,
  started: SnapshotName | null,
): SnapshotName | null {
  const all = candidatesOf(offers);
  const goingOn = all.filter(({ goesOn }) => goesOn);
  const pool = goingOn.length > 0 ? goingOn : all;
  const newest = Math.max(...pool.map(({ of }) => of.height));
  const fresh = pool.filter(({ of }) => of.height >= newest - FRESH_BLOCKS);
  const own = started === null ? undefined : fresh.find(({ of }) => isSameSnapshot(of, started));
  if (own !== undefined) return own.of;
  const wellServed = fresh.filter(({ servers }) => servers.length >= ENOUGH_SERVERS);
  const [best] = (wellServed.length > 0 ? wellServed : fresh).sort(byHeightThenServers);
  return best?.of ?? null;
}

/** Whether blocks alone lead from genesis to here. */
export function isServedFromGenesis(offers: ReadonlyMap<ServerId, SnapshotOffer>): boolean {
  return [...offers.values()].some(({ oldestBlock, headHeight }) => oldestBlock <= 1 || headHeight === 0);
}

/** Whether somebody says that it has the next block of a ledger of this height. */
export function isServedFrom(offers: ReadonlyMap<ServerId, SnapshotOffer>, height: number): boolean {
  return [...offers.values()].some(({ oldestBlock, headHeight }) => oldestBlock <= height + 1 && headHeight > height);
}

/** What such a ledger has already is no snapshot to begin from. */
export function offersAbove(
  offers: ReadonlyMap<ServerId, SnapshotOffer>,
  height: number,
): ReadonlyMap<ServerId, SnapshotOffer> {
  return new Map(
    Array.from(offers, ([id, offer]) => [
      id,
      { ...offer, snapshots: offer.snapshots.filter((snapshot) => snapshot.height > height) },
    ]),
  );
}

/** The second highest head that is claimed, so that one liar does not raise it; the only one where there is one. */
export function claimedHead(offers: ReadonlyMap<ServerId, SnapshotOffer>): number {
  const heads = [...offers.values()].map(({ headHeight }) => headHeight).sort((a, b) => b - a);
  return heads[1] ?? heads[0] ?? 0;
}

export function offersSnapshot(offer: SnapshotOffer | null, of: SnapshotName): boolean {
  return offer?.snapshots.some((offered) => isSameSnapshot(offered, of)) ?? false;
}

function candidatesOf(offers: ReadonlyMap<ServerId, SnapshotOffer>): Candidate[] {
  const candidates: Candidate[] = [];
  for (const [server, { snapshots }] of offers) {
    for (const of of snapshots) {
      const known = candidates.find((candidate) => isSameSnapshot(candidate.of, of));
      if (known === undefined) candidates.push({ of, servers: [server], goesOn: false });
      else if (!known.servers.includes(server)) known.servers.push(server);
    }
  }
  for (const candidate of candidates) {
    candidate.goesOn = [...offers.values()].some(
      ({ headHeight, oldestBlock }) => headHeight >= candidate.of.height && oldestBlock <= candidate.of.height + 1,
    );
  }
  return candidates;
}

function byHeightThenServers(a: Candidate, b: Candidate): number {
  return (
    b.of.height - a.of.height ||
    b.servers.length - a.servers.length ||
    (a.of.stateRoot < b.of.stateRoot ? -1 : 1) ||
    a.of.depth - b.of.depth
  );
}
