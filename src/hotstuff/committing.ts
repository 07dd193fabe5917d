/**
 * Making blocks final: by a certificate whose commit info names one that is held, or by seals that others served.
 *
 * A seal is the certificate and the headers from the block that it names down to the sealed one:
 *
 *     B1 <--- B2 <--- B3     certificate(B3) names B2:   seal(B2) = certificate, []
 *                                                        seal(B1) = certificate, [header(B2)]
 */
import { assert } from '../base/assert.ts';
import type { VerifiedSealedBlock } from '../consensus/engine.ts';
import { executeSealed } from '../consensus/follower.ts';
import type { Judge } from '../consensus/mempool.ts';
import type { SealedBlock } from '../ledger/block.ts';
import { encodeCommitProof } from '../ledger/commit-proof.ts';
import type { StateChange } from '../ledger/state.ts';
import { NODE_KEY_PREFIX } from '../ledger/state.ts';
import { MAX_EVENT_AGE_SECONDS } from '../ledger/transition.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import type { VerifiedCertificate } from '../qc/certificate.ts';
import type { TreeBlock } from './block-tree.ts';
import { commitInfoOf, sameCommitInfo } from './commit-rule.ts';
import { learnFromSeal } from './learning.ts';
import { blockContext, nowSeconds, type Replica } from './replica.ts';

/** Blocks beside the chain of the highest certificate that are kept in memory. */
const MAX_FORK_BLOCKS = 64;

/** Commits what the highest commit info names, if it is held. @returns whether anything was committed */
export function commitNamed(replica: Replica): boolean {
  const certificate = replica.commitTarget;
  const named = certificate?.vote.commit ?? null;
  if (certificate === null || named === null) return false;
  const { tree } = replica;
  if (named.height <= tree.root.header.height) {
    replica.commitTarget = null;
    return false;
  }
  const block = tree.get(named.blockId);
  if (block === undefined) return false;
  checkAgreement(replica, certificate);
  const path = tree.pathTo(block);
  for (const [index, step] of path.entries()) {
    const descendants = path.slice(index + 1).map(({ block: { headerBytes } }) => headerBytes);
    const bytes = encodeCommitProof({ certificate, descendants: descendants.reverse() });
    const changes = replica.machine.commit(step.execution);
    finish(replica, { block: step.block, seal: { kind: 'hotstuff', bytes } }, changes);
  }
  moveRoot(replica, block);
  replica.commitTarget = null;
  return true;
}

/** What a quorum signed must be what this replica computes from the same block. */
function checkAgreement(replica: Replica, { vote }: VerifiedCertificate): void {
  const certified = replica.tree.get(vote.blockId);
  if (certified === undefined) return;
  const computed = commitInfoOf(certified, replica.commitDepth);
  assert(sameCommitInfo(computed, vote.commit), 'the commit info is a function of the certified block', {
    round: vote.round,
    signed: vote.commit?.blockId ?? null,
    computed: computed?.blockId ?? null,
  });
}

/** Takes sealed blocks in the order of their heights. @returns whether anything was committed */
export function commitSealed(replica: Replica, blocks: readonly VerifiedSealedBlock[]): boolean {
  const { machine, tree, sealed } = replica;
  const before = tree.root.header.height;
  for (const block of blocks) sealed.add(block, before + 1);
  const next = () => {
    const height = tree.root.header.height + 1;
    return machine.understands(machine.head, height).ok ? sealed.take(height) : undefined;
  };
  for (let block = next(); block !== undefined; block = next()) commitOneSealed(replica, block);
  return tree.root.header.height > before;
}

function commitOneSealed(replica: Replica, next: VerifiedSealedBlock): void {
  const { block, seal, events } = next;
  const { tree, machine, context } = replica;
  assert(block.header.parentId === tree.root.id, 'a sealed block extends the committed chain', {
    height: block.header.height,
    parentId: block.header.parentId,
    head: tree.root.id,
  });
  const held = tree.get(block.id);
  if (held !== undefined) {
    finish(replica, { block, seal }, machine.commit(held.execution));
    moveRoot(replica, held);
  } else {
    const changes = executeSealed(machine, next, context.validators);
    const added = tree.insert(tree.root, { block, events, execution: machine.head, justify: null });
    finish(replica, { block, seal }, changes);
    moveRoot(replica, added);
  }
  learnFromSeal(replica, { block, seal });
}

function finish(replica: Replica, sealed: SealedBlock, changes: readonly StateChange[]): void {
  replica.turn.commit({ block: sealed.block, sealed, changes });
  for (const { id } of sealed.block.events) replica.mempool.remove(id);
  const nodes = changes.filter(({ key }) => key.startsWith(NODE_KEY_PREFIX));
  const peerIds = new Set(nodes.map(({ key }) => key.slice(NODE_KEY_PREFIX.length)));
  rejectAll(replica, peerIds);
}

/** The judge of the mempool: the committed state, at the time that a block would have now. */
export function judge(replica: Replica): Judge {
  const { machine } = replica;
  const { height, timestamp } = machine.head;
  const context = blockContext(replica, height + 1, Math.max(timestamp, nowSeconds(replica)));
  return (event) => machine.finalRefusal(event, context);
}

/** What of these nodes can no longer be committed is refused. */
export function rejectAll(replica: Replica, peerIds: Iterable<string>): void {
  for (const { event, refusal } of replica.mempool.rejudge(peerIds, judge(replica))) {
    replica.turn.reject(event.id, refusal);
  }
}

function moveRoot(replica: Replica, block: TreeBlock): void {
  const { tree, turn, mempool, machine, orphans, evicted } = replica;
  const before = tree.root.header.timestamp;
  const { path, forgotten } = tree.advance(block);
  for (const lost of forgotten) {
    turn.forget(lost.id);
    machine.discard(lost.execution);
  }
  for (const [id, height] of evicted) {
    if (height > block.header.height) continue;
    if (!path.some((step) => step.id === id)) turn.forget(id);
    evicted.delete(id);
  }
  const { height, timestamp } = block.header;
  for (const [id, orphan] of orphans) if (orphan.block.header.height <= height) orphans.delete(id);
  if (timestamp > before)
    rejectAll(
      replica,
      mempool.peersOf(({ event }) => event.time + MAX_EVENT_AGE_SECONDS < timestamp),
    );
  const committed = new Set(path.flatMap((step) => step.block.events.map(({ id }) => id)));
  for (const lost of forgotten) for (const event of lost.events) if (!committed.has(event.id)) giveBack(replica, event);
}

/**
 * A block whose round was given up without a certificate may yet be certified, but nobody else need know of it: had it
 * made its holders busy, they would go on alone for ever, each proposing only in its own rounds while the others skip
 * theirs. So it keeps nobody busy, and its events go back to where everybody can be told of them.
 */
export function passOverForks(replica: Replica): void {
  const { tree, rules, pacemaker } = replica;
  const tip = tree.get(rules.record.highCertificate.vote.blockId);
  if (tip === undefined) return;
  const { round, hasGivenUp } = pacemaker;
  for (const block of tree.passOver(tip, hasGivenUp ? round + 1 : round))
    for (const event of block.events) giveBack(replica, event);
}

/**
 * Bounds the tree while nothing commits: round after round that is given up leaves a block beside the chain. Those that
 * nobody certified, as far as is known here, go first; one that turns out to be certified is fetched again.
 */
export function evictForks(replica: Replica): void {
  const { tree, machine, rules, evicted } = replica;
  if (tree.uncommittedBlocks <= MAX_FORK_BLOCKS) return;
  const tip = tree.get(rules.record.highCertificate.vote.blockId) ?? tree.root;
  while (tree.uncommittedBlocks - tree.pathTo(tip).length > MAX_FORK_BLOCKS) {
    const leaf = tree.lowestForkLeaf(tip);
    assert(leaf !== undefined, 'where there are forks there is a leaf', { blocks: tree.uncommittedBlocks });
    tree.remove(leaf);
    machine.discard(leaf.execution);
    evicted.set(leaf.id, leaf.header.height);
    for (const event of leaf.events) giveBack(replica, event);
  }
}

/** An event of a block that lost may be known to nobody else by now: it waits for another block here. */
function giveBack(replica: Replica, event: VerifiedEvent): void {
  replica.mempool.add(event, judge(replica));
}
