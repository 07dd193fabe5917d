/**
 * Getting what others have. Everything that is asked for is named by a verified certificate:
 *
 *     the block of the highest certificate, and of a waiting proposal's        by id, then its ancestors, down to the tree
 *     committed blocks, when commit info names one that is not held            by height, with their seals
 *
 * Nobody's claim of a height counts, so there is none that could be lowered or inflated. Fetched blocks may come in any
 * order; one whose parent is not held waits as an orphan.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import type { ValidatorIndex } from '../consensus/engine.ts';
import { checkStateRoot } from '../ledger/block-rules.ts';
import type { QuorumCertificate } from '../qc/certificate.ts';
import type { TreeBlock } from './block-tree.ts';
import type { Want } from './fetcher.ts';
import type { AdmittedBlocks, FetchedBlock } from './messages.ts';
import { blockContext, othersOf, type Replica } from './replica.ts';
import { checkJustifyDigest } from './stored-block.ts';

/** Fetched blocks that may wait for their ancestors: all but 32 of a longer chain are empty. */
const MAX_ORPHANS = 1024;
/** Further behind than this, uncommitted blocks are of no use yet. */
const MAX_GAP_BY_ID = 32;

export const SEALED_KEY = 'sealed';

/** What is wanted now; asked for in `fetcher.ts`. */
export function wants(replica: Replica): Want[] {
  const { tree, commitTarget, fetcher } = replica;
  const gap = (commitTarget?.vote.commit?.height ?? 0) - tree.root.header.height;
  const byId: Want[] = [];
  for (const [id, certificate] of gap > MAX_GAP_BY_ID ? [] : missing(replica)) {
    byId.push({ key: id, what: { kind: 'blocks', ids: [id] }, servers: serversOf(replica, certificate) });
  }
  // Who has committed a block holds it by height only, and need not have told that it is committed.
  const isElusive = byId.some(({ key }) => fetcher.failuresOf(key) > 0);
  if (gap <= 0 && !isElusive) return byId;
  const what = { kind: 'sealed', fromHeight: tree.root.header.height + 1 } as const;
  const servers = serversOf(replica, commitTarget ?? replica.rules.record.highCertificate);
  return [{ key: SEALED_KEY, what, servers }, ...byId];
}

/** Ids to ask for, each with the certificate that proves that the block exists. */
function missing(replica: Replica): Map<Hash, QuorumCertificate> {
  const { rules, pending, tree, orphans } = replica;
  const found = new Map<Hash, QuorumCertificate>();
  const look = (certificate: QuorumCertificate) => {
    let named = certificate;
    for (let orphan = orphans.get(named.vote.blockId); orphan !== undefined; orphan = orphans.get(named.vote.blockId)) {
      named = orphan.justify;
    }
    const { blockId, round } = named.vote;
    if (tree.get(blockId) === undefined && round > tree.root.header.round) found.set(blockId, named);
  };
  look(rules.record.highCertificate);
  if (pending !== null) look(pending.justify);
  return found;
}

/** Those who signed for the block have it on disk; then the others; those whose stream is up before those that are not. */
function serversOf(replica: Replica, { signers }: QuorumCertificate): ValidatorIndex[] {
  const { connected } = replica;
  const rank = (index: ValidatorIndex) => (connected.has(index) ? 0 : 2) + (signers.includes(index) ? 0 : 1);
  return othersOf(replica).sort((a, b) => rank(a) - rank(b) || a - b);
}

export function pursue(replica: Replica): void {
  replica.fetcher.pursue(wants(replica), replica.clock.elapsedMs, replica.turn);
}

/** The answer to a fetch by id. What was not asked for is left. */
export function receiveBlocks(replica: Replica, request: number, { blocks }: AdmittedBlocks): void {
  const { fetcher, orphans, clock, turn } = replica;
  const wanted = new Set(missing(replica).keys());
  let helped = false;
  for (const fetched of blocks) {
    const { id, header } = fetched.block;
    if (!wanted.has(id) || orphans.size >= MAX_ORPHANS) continue;
    const bound = checkJustifyDigest(fetched);
    if (!bound.ok) {
      turn.refuse(null, bound.refusal);
      continue;
    }
    orphans.set(id, fetched);
    wanted.add(header.parentId); // the certificate in a certified block was verified by those who voted for it
    helped = true;
  }
  fetcher.ended(request, helped, othersOf(replica).length, clock.elapsedMs);
}

export function fetchFailed(replica: Replica, request: number): void {
  replica.fetcher.ended(request, false, othersOf(replica).length, replica.clock.elapsedMs);
}

/** Sealed blocks arrived, by whatever way: if they were asked for, the next ones may be asked for at once. */
export function sealedArrived(replica: Replica, helped: boolean): void {
  const request = replica.fetcher.requestOf(SEALED_KEY);
  if (request === null) return;
  replica.fetcher.ended(request, helped, othersOf(replica).length, replica.clock.elapsedMs);
}

/** Puts orphans whose parent is held into the tree. @returns whether there was one */
export function connectOrphans(replica: Replica): boolean {
  const { orphans, tree } = replica;
  let connected = false;
  for (let found = true; found;) {
    found = false;
    for (const [id, orphan] of orphans) {
      const parent = tree.get(orphan.block.header.parentId);
      if (parent === undefined || !isUnderstood(replica, parent)) continue;
      orphans.delete(id);
      if (tree.get(id) === undefined) insertCertified(replica, parent, orphan);
      found = connected = true;
    }
  }
  return connected;
}

/** What is not stays an orphan, so that it is not asked for again. */
function isUnderstood({ machine }: Replica, parent: TreeBlock): boolean {
  return machine.understands(parent.execution, parent.header.height + 1).ok;
}

/** A quorum executed it: another result here is a bug here or a broken quorum, and nothing to go on from. */
function insertCertified(replica: Replica, parent: TreeBlock, fetched: FetchedBlock): void {
  const { block, events, justify } = fetched;
  const { height, timestamp, round } = block.header;
  const { machine, tree } = replica;
  const context = blockContext(replica, height, timestamp);
  const executed = machine.execute(parent.execution, context, events);
  assert(executed.ok, 'a certified block executes', { round, because: executed.ok ? '' : executed.refusal.code });
  const agreed = checkStateRoot(block.header, executed.value);
  assert(agreed.ok, 'a certified block gives the root that its certificate covers', { round });
  tree.insert(parent, { block, events, justify, execution: executed.value });
}
